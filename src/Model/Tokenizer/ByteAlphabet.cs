using System.Runtime.CompilerServices;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// The 256 printable characters by which byte-level vocabularies spell bytes (GPT-2's bytes_to_unicode): printable Latin-1 stands for
/// itself, the other bytes follow from U+0100 on in ascending order.
/// </summary>
internal static class ByteAlphabet
{
    private const int NoByte = -1;
    private static readonly char[] Chars = new char[256];
    private static readonly short[] Bytes = new short[0x200];

    static ByteAlphabet()
    {
        Array.Fill(Bytes, (short)NoByte);
        int next = 0x100;
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            Chars[value] = printable ? (char)value : (char)next++;
            Bytes[Chars[value]] = (short)value;
        }
    }

    /// <summary>The character that spells a byte.</summary>
    public static char Spell(byte value) => Chars[value];

    /// <summary>Adds the bytes that a token (in UTF-8) spells; a token with any other character (an added one) is its own UTF-8.</summary>
    [MethodImpl(Hot.Path)]
    public static void AddBytes(ReadOnlySpan<byte> token, List<byte> bytes)
    {
        int start = bytes.Count;
        for (int i = 0; i < token.Length; i++)
        {
            // The alphabet lies below U+0200: one byte, or two of which the first is C2 to C7.
            int c = token[i];
            if (c is >= 0xC2 and <= 0xC7) c = ((c & 0x1F) << 6) | (token[++i] & 0x3F);
            int value = c < Bytes.Length && (c < 0x80 || token[i] < 0xC0) ? Bytes[c] : NoByte;
            if (value == NoByte)
            {
                bytes.RemoveRange(start, bytes.Count - start);
                bytes.AddRange(token);
                return;
            }
            bytes.Add((byte)value);
        }
    }
}
