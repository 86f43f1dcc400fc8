using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Akka.Remote;

/// <summary>Bytes from the network that do not keep to the format; the message says what came and what was due.</summary>
internal sealed class WireException(string message) : Exception(message);

/// <summary>Writes little-endian values into a pooled buffer. Whoever holds it last calls <see cref="Return"/>.</summary>
internal sealed class WireWriter
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(512);

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _buffer.AsMemory(0, Length);

    public WireWriter U8(byte value)
    {
        Reserve(1)[0] = value;
        return this;
    }

    public WireWriter U16(int value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(Reserve(2), checked((ushort)value));
        return this;
    }

    public WireWriter I32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(Reserve(4), value);
        return this;
    }

    public WireWriter I64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(Reserve(8), value);
        return this;
    }

    public WireWriter Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        return this;
    }

    /// <summary>Two bytes of length, then UTF-8.</summary>
    public WireWriter Text(string text) => Text(Encoding.UTF8.GetBytes(text ?? ""));

    /// <summary>Two bytes of length, then these bytes.</summary>
    public WireWriter Text(byte[] utf8) => U16(utf8.Length).Raw(utf8);

    /// <summary>Overwrites an int written before, for lengths known only at the end.</summary>
    public void PatchI32(int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(at, 4), value);

    public byte[] ToArray() => Written.ToArray();

    public void Return()
    {
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, Length) = ([], 0);
    }

    private Span<byte> Reserve(int count)
    {
        if (Length + count > _buffer.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(Length + count, _buffer.Length * 2));
            Written.Span.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
        var span = _buffer.AsSpan(Length, count);
        Length += count;
        return span;
    }
}

/// <summary>Reads what <see cref="WireWriter"/> wrote; every length is checked before it is used.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>What has not been read yet.</summary>
    public ReadOnlySpan<byte> Rest { get; private set; } = bytes;

    public byte U8() => Take(1)[0];

    public int U16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public int I32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public long I64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    /// <summary>The UTF-8 bytes of a text of at most <paramref name="limit"/> bytes.</summary>
    public ReadOnlySpan<byte> Utf8(int limit) => Take(Count(limit));

    public string Text(int limit) => Encoding.UTF8.GetString(Utf8(limit));

    /// <summary>The length of a list of at most <paramref name="limit"/> entries.</summary>
    public int Count(int limit)
    {
        int count = U16();
        return count <= limit ? count : throw new WireException($"a length must be at most {limit}, got {count}");
    }

    public void End()
    {
        if (Rest.Length > 0) throw new WireException($"{Rest.Length} bytes follow the end of a frame");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > Rest.Length) throw new WireException($"a field of {count} bytes does not fit into the {Rest.Length} left");
        var taken = Rest[..count];
        Rest = Rest[count..];
        return taken;
    }
}
