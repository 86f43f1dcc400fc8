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

    /// <summary>The bytes that a token spells; a token with any other character (an added one) is its own UTF-8.</summary>
    public static byte[] BytesOf(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
        {
            int value = token[i] < Bytes.Length ? Bytes[token[i]] : NoByte;
            if (value == NoByte) return System.Text.Encoding.UTF8.GetBytes(token);
            bytes[i] = (byte)value;
        }
        return bytes;
    }
}
