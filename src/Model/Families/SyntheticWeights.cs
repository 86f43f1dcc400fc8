using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Families;

/// <summary>
/// Random bf16 weights (and 4-bit experts where a config has such) of any shape that is asked for, to measure models that nobody has
/// here. A tensor depends on seed and name only, so that ranks agree without a file. Matrices are uniform with variance 1 / inputs, which
/// keeps hidden states near 1, and the embedding with variance 1, so that tokens differ and spread over the experts; norms are 1, biases 0.
/// Owns its memory; one thread at a time.
/// </summary>
public sealed unsafe class SyntheticWeights(ulong seed) : IDisposable
{
    private readonly Dictionary<string, (TensorView View, NativeBuffer Memory)> _made = new(StringComparer.Ordinal);

    /// <summary>Bytes made so far.</summary>
    public long Bytes => _made.Values.Sum(tensor => tensor.Memory.Bytes);

    /// <summary>The tensor of this name; a <see cref="WeightSource"/>.</summary>
    /// <exception cref="ModelException">The name was asked for before with another shape.</exception>
    public TensorView Get(string name, params ReadOnlySpan<int> shape)
    {
        if (_made.TryGetValue(name, out (TensorView View, NativeBuffer) made))
            return made.View.Shape.SequenceEqual(shape)
                ? made.View
                : throw new ModelException($"synthetic tensor {made.View} was asked for with shape [{string.Join(", ", shape.ToArray())}]");
        long count = 1;
        foreach (int size in shape) count *= size;
        if (TypeOf(name, TensorDType.BF16, QuantizedForm.None) == TensorDType.U8) return Bytes8(name, count, shape);
        var memory = new NativeBuffer(count * sizeof(ushort));
        var values = (ushort*)memory.Data;
        if (shape.Length == 1)
            new Span<ushort>(values, (int)count).Fill(Elements.ToBf16(name.EndsWith(".bias", StringComparison.Ordinal) ? 0 : 1));
        else
            Fill(values, count, MathF.Sqrt(name == Parts.Embedding ? 3 : 3f / shape[^1]) / short.MaxValue, Start(name));
        var view = new TensorView(name, TensorDType.BF16, shape.ToArray(), memory.Data);
        _made.Add(name, (view, memory));
        return view;
    }

    // Random 4-bit floats, whose variance is 8.25, or the exponent that brings it near 1 / inputs; inputs are in groups of 32.
    private TensorView Bytes8(string name, long count, ReadOnlySpan<int> shape)
    {
        var memory = new NativeBuffer(count);
        if (IsScales(name))
        {
            double exponent = -Math.Log2(8.25 * 32 * shape[^1]) / 2;
            new Span<byte>(memory.Data, (int)count).Fill((byte)(127 + (int)Math.Round(exponent)));
        }
        else
            for (ulong state = Start(name), i = 0; i < (ulong)count; i++) memory.Data[i] = (byte)Mix(state += 0x9E3779B97F4A7C15);
        var view = new TensorView(name, TensorDType.U8, shape.ToArray(), memory.Data);
        _made.Add(name, (view, memory));
        return view;
    }

    /// <summary>Name, type and shape as <see cref="Get"/> would make them, without the values; a <see cref="WeightSource"/>.</summary>
    public static TensorView Outline(string name, params ReadOnlySpan<int> shape) =>
        new(name, TypeOf(name, TensorDType.BF16, QuantizedForm.None), shape.ToArray(), null);

    /// <summary>The type of a tensor by its name: some only come in one.</summary>
    internal static TensorDType TypeOf(string name, TensorDType usual, QuantizedForm form)
    {
        if (name.EndsWith("_blocks", StringComparison.Ordinal) || IsScales(name)) return TensorDType.U8;
        if (name.EndsWith("_scale_inv", StringComparison.Ordinal)) return TensorDType.F32;
        bool projection = name.EndsWith("_proj.weight", StringComparison.Ordinal)
            || name.EndsWith("_with_mqa.weight", StringComparison.Ordinal);
        return form == QuantizedForm.Fp8 && projection ? TensorDType.F8E4M3 : usual;
    }

    private static bool IsScales(string name) => name.EndsWith("_scales", StringComparison.Ordinal);

    /// <summary>Gives all tensors back.</summary>
    public void Dispose()
    {
        foreach ((_, NativeBuffer memory) in _made.Values) memory.Dispose();
        _made.Clear();
    }

    // FNV-1a of the name, mixed with the seed: string.GetHashCode differs from process to process.
    private ulong Start(string name)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in name) hash = (hash ^ c) * 1099511628211;
        return Mix(hash ^ Mix(seed + 1));
    }

    // SplitMix64 (Steele, Lea, Flood 2014): four 16-bit integers from each number, scaled.
    private static void Fill(ushort* to, long count, float scale, ulong state)
    {
        for (long i = 0; i < count; i += 4)
        {
            ulong bits = Mix(state += 0x9E3779B97F4A7C15);
            for (int part = 0; part < 4 && i + part < count; part++) to[i + part] = Elements.ToBf16((short)(bits >> (16 * part)) * scale);
        }
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
