using System.Text;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Decodes one request's ids as they come. A piece never ends in half a character: bytes that a later token may complete are held back.
/// All pieces and the flush together are what <see cref="BpeTokenizer.Decode"/> makes of all ids at once. Not for several threads.
/// </summary>
public sealed class StreamingDecoder(BpeTokenizer tokenizer, bool skipSpecial = true)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private char[] _chars = new char[64];

    /// <summary>The text that this id completes; may be empty.</summary>
    /// <exception cref="ModelException">The id is not in the vocabulary.</exception>
    public string Append(int id)
    {
        ReadOnlySpan<byte> bytes = tokenizer.TokenBytes(id);
        return skipSpecial && tokenizer.IsSpecial(id) ? "" : Convert(bytes, flush: false);
    }

    /// <summary>What is still held back, as U+FFFD because nothing completes it any more. The decoder can then be used again.</summary>
    public string Flush() => Convert([], flush: true);

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        // Each byte makes one char at most, and what is held back one more.
        if (_chars.Length < bytes.Length + 4) _chars = new char[2 * bytes.Length + 4];
        int count = _decoder.GetChars(bytes, _chars, flush);
        return new string(_chars, 0, count);
    }
}
