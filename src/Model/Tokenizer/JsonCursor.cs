using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Walks JSON that a strict reader has walked before: all that is left to tell is where each string and number ends. A quarter of a
/// million of them are read in a fifth of the reader's time.
/// </summary>
internal ref struct JsonCursor(ReadOnlySpan<byte> json)
{
    private readonly ReadOnlySpan<byte> _json = json;
    private byte[] _scratch = [];
    private int _at;

    /// <summary>What has not been read.</summary>
    public readonly ReadOnlySpan<byte> Rest => _json[_at..];

    /// <summary>The next sign that is no white space; 0 at the end.</summary>
    [MethodImpl(Hot.Path)]
    public byte Peek()
    {
        while (_at < _json.Length && _json[_at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') _at++;
        return _at < _json.Length ? _json[_at] : (byte)0;
    }

    /// <summary>Takes a sign if it is the next one.</summary>
    public bool Take(char sign)
    {
        if (Peek() != sign) return false;
        _at++;
        return true;
    }

    /// <summary>The string that stands here, its escapes resolved; it holds until the next one is read.</summary>
    /// <exception cref="InvalidOperationException">An escape is half a character.</exception>
    [MethodImpl(Hot.Path)]
    public ReadOnlySpan<byte> String()
    {
        int start = ++_at;
        _at += _json[_at..].IndexOfAny((byte)'"', (byte)'\\');
        return _json[_at] == '"' ? _json[start.._at++] : Escaped(start - 1);
    }

    /// <summary>The number that stands here if it is whole, not negative and has at most nine digits; else -1.</summary>
    [MethodImpl(Hot.Path)]
    public int Number()
    {
        Peek();
        int start = _at, number = 0;
        while (_at < _json.Length && _json[_at] is >= (byte)'0' and <= (byte)'9' && _at - start < 10)
            number = 10 * number + _json[_at++] - '0';
        bool plain = _at > start && _at - start < 10 && (_at == _json.Length || _json[_at] is not ((byte)'.' or (byte)'e' or (byte)'E'));
        if (!plain) _at = start;
        return plain ? number : -1;
    }

    private ReadOnlySpan<byte> Escaped(int quote)
    {
        var reader = new Utf8JsonReader(_json[quote..]);
        reader.Read();
        _at = quote + (int)reader.BytesConsumed;
        if (_scratch.Length < reader.ValueSpan.Length) _scratch = new byte[2 * reader.ValueSpan.Length];
        return _scratch.AsSpan(0, reader.CopyString(_scratch));
    }
}
