using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Families;

/// <summary>In which form matrices are kept in memory; what is default stays as it is stored. Never the embedding as a table.</summary>
/// <param name="Type">BF16, Int8 or Int4 that they are turned into; null for as they are stored.</param>
/// <param name="Packed">Whether those that are BF16 then are packed for fast products, which round the rows that they meet.</param>
public readonly record struct WeightForm(ElementType? Type, bool Packed = false)
{
    // In smaller models products are not what takes the time, and the rounding of a short sum evens out least: they keep all their bits.
    private const int LeastPacked = 320;

    /// <summary>The form for a model on this machine; fast: whether rows may be rounded for faster products.</summary>
    public static WeightForm Of(ElementType? type, bool fast, ModelConfig config) =>
        new(type, fast && CpuDevice.MultipliesBf16 && config.HiddenSize >= LeastPacked);

    /// <summary>Whether matrices of a model stay as they are stored, if that is as its config.json says.</summary>
    public bool Keeps(ModelConfig config) => Type is null && !(Packed && ShardWeights.TypeOf(config) == TensorDType.BF16);

    /// <summary>What becomes of a matrix that is stored in some type.</summary>
    public ElementType TypeOf(ElementType stored)
    {
        ElementType type = Type ?? stored;
        return Packed && type == ElementType.BF16 ? ElementType.PackedBf16 : type;
    }
}
