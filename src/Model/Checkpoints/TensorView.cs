using System.Runtime.InteropServices;

namespace Troupe.Model.Checkpoints;

/// <summary>The types of stored weights that can be read.</summary>
public enum TensorDType
{
    /// <summary>The upper half of a float32.</summary>
    BF16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>8-bit floats with 4 bits of exponent and 3 of mantissa, to be multiplied with scales of another tensor.</summary>
    F8E4M3,

    /// <summary>Bytes whose meaning their reader knows.</summary>
    U8,
}

/// <summary>
/// A stored tensor where it lies in the mapped file: row-major, little-endian, valid until its <see cref="Checkpoint"/> is disposed.
/// The address is a multiple of the element size only by luck of the writer: read it as unaligned.
/// </summary>
public sealed unsafe class TensorView
{
    private readonly int[] _shape;

    internal TensorView(string name, TensorDType dtype, int[] shape, byte* data)
    {
        (Name, DType, _shape) = (name, dtype, shape);
        Data = data;
        Elements = shape.Aggregate(1L, (product, size) => product * size);
    }

    /// <summary>The name in the checkpoint.</summary>
    public string Name { get; }

    /// <summary>The type of its elements.</summary>
    public TensorDType DType { get; }

    /// <summary>Sizes of its axes, outermost first; empty for a scalar.</summary>
    public ReadOnlySpan<int> Shape => _shape;

    /// <summary>The first byte.</summary>
    public byte* Data { get; }

    /// <summary>How many elements.</summary>
    public long Elements { get; }

    /// <summary>Bytes of one element.</summary>
    public int ElementBytes => DType switch
    {
        TensorDType.F32 => 4,
        TensorDType.F8E4M3 or TensorDType.U8 => 1,
        _ => 2,
    };

    /// <summary>How many bytes.</summary>
    public long ByteCount => Elements * ElementBytes;

    /// <summary>All bytes.</summary>
    /// <exception cref="ModelException">The tensor has 2 GiB or more: use <see cref="Data"/> or <see cref="Rows"/>.</exception>
    public ReadOnlySpan<byte> Bytes => ByteCount <= int.MaxValue
        ? new ReadOnlySpan<byte>(Data, (int)ByteCount)
        : throw new ModelException($"tensor {Name} has {ByteCount} bytes, more than one span holds; read it in rows");

    /// <summary>Some rows of the outermost axis, as a view of the same bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rows are not in the tensor.</exception>
    public TensorView Rows(int first, int count)
    {
        if (_shape.Length == 0 || first < 0 || count < 0 || (long)first + count > _shape[0])
            throw new ArgumentOutOfRangeException(nameof(first),
                $"tensor {Name} has shape {Describe(_shape)}; rows [{first}, {(long)first + count}) are not in it");
        int[] shape = [count, .. _shape.AsSpan(1)];
        long rowBytes = _shape[0] == 0 ? 0 : ByteCount / _shape[0];
        return new TensorView(Name, DType, shape, Data + first * rowBytes);
    }

    /// <summary>Elements [first, first + destination length) in row-major order as float32.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The elements are not in the tensor.</exception>
    /// <exception cref="ModelException">They are no numbers without another tensor.</exception>
    public void CopyTo(Span<float> destination, long first = 0)
    {
        if (first < 0 || first > Elements - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(first),
                $"tensor {Name} has {Elements} elements; [{first}, {first + destination.Length}) are not in it");
        byte* from = Data + first * ElementBytes;
        switch (DType)
        {
            case TensorDType.BF16:
                FloatConversions.FromBF16(new ReadOnlySpan<ushort>(from, destination.Length), destination);
                break;
            case TensorDType.F16:
                FloatConversions.FromF16(new ReadOnlySpan<ushort>(from, destination.Length), destination);
                break;
            case not TensorDType.F32:
                throw new ModelException($"tensor {Name} is {DType}, wanted BF16, F16 or F32");
            default:
                Span<byte> bytes = MemoryMarshal.AsBytes(destination);
                new ReadOnlySpan<byte>(from, bytes.Length).CopyTo(bytes);
                break;
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {DType} {Describe(_shape)}";

    internal static string Describe(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}
