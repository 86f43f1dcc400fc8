using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// A hash for tables that are asked at every word: eight bytes at a time. It has no seed; whoever makes texts to collide slows down
/// nothing but the one slot or the one file that they are in.
/// </summary>
internal static class ByteHash
{
    /// <summary>The hash of some bytes.</summary>
    [MethodImpl(Hot.Path)]
    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        ulong hash = (ulong)bytes.Length * 0x9E3779B97F4A7C15;
        if (bytes.Length >= 8)
        {
            // The last eight bytes may have been read in part before.
            for (ReadOnlySpan<byte> rest = bytes; rest.Length > 8; rest = rest[8..])
                hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(rest));
            return (uint)(Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes[^8..])) >> 32);
        }
        ulong few = 0;
        if (bytes.Length >= 4)
            few = ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(bytes) << 32) | BinaryPrimitives.ReadUInt32LittleEndian(bytes[^4..]);
        else
            foreach (byte value in bytes) few = (few << 8) | value;
        return (uint)(Mix(hash ^ few) >> 32);
    }

    private static ulong Mix(ulong value)
    {
        value *= 0x9E3779B97F4A7C15;
        return (value ^ (value >> 29)) * 0xBF58476D1CE4E5B9;
    }
}
