using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Families;

/// <summary>
/// Where tensors come from: <see cref="Checkpoint.Get"/>, or random ones. Throws <see cref="ModelException"/> if there is none of this name
/// and shape. The memory outlives the shard.
/// </summary>
public delegate TensorView WeightSource(string name, params ReadOnlySpan<int> shape);

/// <summary>
/// Gets tensors as kernels want them, counts their bytes, and touches their pages, so that the first step finds them in memory; one that
/// only counts does not touch them.
/// </summary>
internal sealed unsafe class WeightReader(WeightSource source, bool touch = true)
{
    private const int PageBytes = 4096;

    private readonly HashSet<string> _counted = new(StringComparer.Ordinal);

    /// <summary>Bytes of all tensors so far; one that is asked for again, as a tied embedding, counts once.</summary>
    public long Bytes { get; private set; }

    /// <summary>A matrix [outputs, inputs].</summary>
    public Weight Matrix(string name, int outputs, int inputs) => Hold(source(name, outputs, inputs), outputs, inputs);

    /// <summary>A vector, as one row.</summary>
    public Weight Vector(string name, int width) => Hold(source(name, width), 1, width);

    /// <summary>A matrix that must be stored like another one, because one kernel reads both.</summary>
    public Weight MatrixLike(Weight? other, string name, int outputs, int inputs)
    {
        Weight weight = Matrix(name, outputs, inputs);
        if (other is { } like && like.Type != weight.Type)
            throw new ModelException($"tensor {name} is {weight.Type}, wanted {like.Type} as the other experts of its layer");
        return weight;
    }

    private Weight Hold(TensorView view, int rows, int columns)
    {
        ElementType type = view.DType switch
        {
            TensorDType.BF16 => ElementType.BF16,
            TensorDType.F16 => ElementType.F16,
            TensorDType.F32 => ElementType.F32,
            _ => throw new ModelException($"tensor {view.Name} is {view.DType}, wanted BF16, F16 or F32"),
        };
        if (_counted.Add(view.Name)) Bytes += view.ByteCount;
        for (long at = 0; touch && at < view.ByteCount; at += PageBytes) Volatile.Read(ref view.Data[at]);
        return new Weight(view.Data, type, rows, columns);
    }
}
