using System.Buffers;
using System.Text.Unicode;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Puts the bytes of ids together, one after the other. What a later id may change, a run of byte tokens, is held back. Decoding at
/// once and as ids come both go through here, so they agree.
/// </summary>
internal sealed class TextAssembler(TokenTexts texts)
{
    private readonly List<byte> _run = [];
    private int _strips = texts.Rules.StripCount;
    private bool _first = true;

    /// <summary>Writes what this id makes certain.</summary>
    public void Append(int id, IBufferWriter<byte> output)
    {
        ReadOnlySpan<byte> bytes = _first && texts.Firsts is { } first ? first(id) : texts.Bytes(id);
        _first = false;
        if (texts.IsByte(id))
        {
            _run.AddRange(bytes);
            return;
        }
        EndRun(output);
        Write(bytes, output);
    }

    /// <summary>Writes what was held back. Another text can then begin.</summary>
    public void Finish(IBufferWriter<byte> output)
    {
        EndRun(output);
        _strips = texts.Rules.StripCount;
        _first = true;
    }

    private void EndRun(IBufferWriter<byte> output)
    {
        if (_run.Count == 0) return;
        byte[] run = [.. _run];
        _run.Clear();
        if (Utf8.IsValid(run)) Write(run, output);
        else
            for (int i = 0; i < run.Length; i++) Write("\uFFFD"u8, output);
    }

    private void Write(ReadOnlySpan<byte> bytes, IBufferWriter<byte> output)
    {
        ReadOnlySpan<byte> strip = texts.Rules.Strip;
        while (_strips > 0 && bytes.Length > 0)
        {
            bool there = bytes.StartsWith(strip);
            _strips = there ? _strips - 1 : 0;
            if (there) bytes = bytes[strip.Length..];
        }
        output.Write(bytes);
    }
}
