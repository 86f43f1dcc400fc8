using System.Buffers;
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
    private readonly TextAssembler _assembler = new(tokenizer.Texts);
    private readonly ArrayBufferWriter<byte> _bytes = new(64);
    private char[] _chars = new char[64];

    /// <summary>The text that this id completes; may be empty.</summary>
    /// <exception cref="ModelException">The id is not in the vocabulary.</exception>
    public string Append(int id)
    {
        tokenizer.Check(id);
        if (skipSpecial && tokenizer.IsSpecial(id)) return "";
        _assembler.Append(id, _bytes);
        return Convert(flush: false);
    }

    /// <summary>What is still held back, as U+FFFD where nothing completes it any more. The decoder can then be used again.</summary>
    public string Flush()
    {
        _assembler.Finish(_bytes);
        return Convert(flush: true);
    }

    private string Convert(bool flush)
    {
        // Each byte makes one char at most, and what is held back one more.
        if (_chars.Length < _bytes.WrittenCount + 4) _chars = new char[2 * _bytes.WrittenCount + 4];
        int count = _decoder.GetChars(_bytes.WrittenSpan, _chars, flush);
        _bytes.ResetWrittenCount();
        return new string(_chars, 0, count);
    }
}
