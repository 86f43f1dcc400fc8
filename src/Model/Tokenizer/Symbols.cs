using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Troupe.Model.Tokenizer;

/// <summary>The symbols that a piece begins as, before any are merged.</summary>
internal interface ISymbols
{
    /// <summary>The most symbols that so many UTF-16 units can become.</summary>
    int Most(int units);

    /// <summary>Writes the symbols of a piece and returns how many there are.</summary>
    int Read(ReadOnlySpan<char> piece, Span<int> symbols);

    /// <summary>Where the part that begins at the start ends: no merge crosses that place.</summary>
    int PartEnd(ReadOnlySpan<char> piece, int start);

    /// <summary>How the vocabulary spells a piece, in UTF-8; null if that is longer than the space.</summary>
    int? Spell(ReadOnlySpan<char> piece, Span<byte> space);
}

/// <summary>One symbol for each byte, spelled in the <see cref="ByteAlphabet"/>.</summary>
internal sealed class ByteSymbols(int[] ids) : ISymbols
{
    /// <inheritdoc/>
    public int Most(int units) => 3 * units;

    /// <inheritdoc/>
    [SkipLocalsInit, MethodImpl(Hot.Path)]
    public int Read(ReadOnlySpan<char> piece, Span<int> symbols)
    {
        Span<byte> bytes = piece.Length <= 256 ? stackalloc byte[768] : new byte[3 * piece.Length];
        int count = Encoding.UTF8.GetBytes(piece, bytes);
        for (int i = 0; i < count; i++) symbols[i] = ids[bytes[i]];
        return count;
    }

    /// <inheritdoc/>
    public int PartEnd(ReadOnlySpan<char> piece, int start) => piece.Length;

    /// <inheritdoc/>
    [SkipLocalsInit]
    public int? Spell(ReadOnlySpan<char> piece, Span<byte> space)
    {
        // A byte takes two bytes to spell at most.
        if (piece.Length > space.Length) return null;
        Span<byte> bytes = stackalloc byte[space.Length];
        if (!Encoding.UTF8.TryGetBytes(piece, bytes, out int count)) return null;
        int length = 0;
        foreach (byte value in bytes[..count])
        {
            char c = ByteAlphabet.Spell(value);
            if (length + 2 > space.Length) return null;
            if (c >= 0x80) space[length++] = (byte)(0xC0 | (c >> 6));
            space[length++] = (byte)(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
        }
        return length;
    }
}

/// <summary>
/// One symbol for each character that has a token; else its bytes where they have tokens; else the unknown token; else nothing.
/// </summary>
internal sealed class CharacterSymbols : ISymbols
{
    private const int None = -1;
    private readonly int[] _basic = new int[0x10000];
    private readonly Dictionary<int, int> _beyond = [];
    private readonly int[] _bytes = new int[256];
    private readonly BpeModel _model;
    // Pairs of neighbours inside some merged token; null if parts cannot be told.
    private readonly PairSet? _inside;
    private readonly bool _allBytes;

    [MethodImpl(Hot.Path)]
    public CharacterSymbols(BpeModel model)
    {
        _model = model;
        Array.Fill(_basic, None);
        foreach (int id in Enumerable.Range(0, model.Vocabulary.Size))
        {
            if (!model.Vocabulary.Has(id)) continue;
            ReadOnlySpan<byte> text = model.Vocabulary.Text(id);
            if (text.Length is 0 or > 4 || Rune.DecodeFromUtf8(text, out Rune rune, out int used) != OperationStatus.Done
                || used != text.Length) continue;
            if (rune.IsBmp) _basic[rune.Value] = id;
            else _beyond[rune.Value] = id;
        }
        for (int value = 0; value < 256; value++)
            _bytes[value] = model.ByteFallback
                ? model.Vocabulary.Find(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>"))) : None;
        _allBytes = !_bytes.Contains(None);
        _inside = Inside();
    }

    /// <inheritdoc/>
    public int Most(int units) => 3 * units;

    /// <inheritdoc/>
    [MethodImpl(Hot.Path)]
    public int Read(ReadOnlySpan<char> piece, Span<int> symbols)
    {
        int count = 0;
        int? unknown = null;
        foreach (Rune rune in piece.EnumerateRunes())
        {
            int id = Id(rune.Value);
            if (id != None)
            {
                if (unknown is { } before) (symbols[count++], unknown) = (before, null);
                symbols[count++] = id;
            }
            else if (!Bytes(rune, symbols, ref count) && _model.Unknown is { } sign)
            {
                if (unknown is not null && !_model.FuseUnknown) symbols[count++] = sign;
                unknown = sign;
            }
        }
        if (unknown is { } last) symbols[count++] = last;
        return count;
    }

    /// <inheritdoc/>
    [MethodImpl(Hot.Path)]
    public int PartEnd(ReadOnlySpan<char> piece, int start)
    {
        if (_inside is null) return piece.Length;
        int previous = None;
        for (int at = start; at < piece.Length;)
        {
            int code = piece[at], units = 1;
            if (char.IsHighSurrogate((char)code)) (code, units) = (char.ConvertToUtf32((char)code, piece[at + 1]), 2);
            if (previous != None && !Joins(previous, code)) return at;
            previous = code;
            at += units;
        }
        return piece.Length;
    }

    /// <inheritdoc/>
    public int? Spell(ReadOnlySpan<char> piece, Span<byte> space) =>
        Encoding.UTF8.TryGetBytes(piece, space, out int length) ? length : null;

    // What has no token is never merged. But where it becomes the unknown token, how many there are in a row matters, and where it is
    // left out, its neighbours meet.
    private bool Joins(int first, int second)
    {
        if (_inside!.Contains(first, second)) return true;
        if (_allBytes) return false;
        bool one = Id(first) == None, other = Id(second) == None;
        return _model.Unknown is null ? one || other : one && other;
    }

    private bool Bytes(Rune rune, Span<int> symbols, ref int count)
    {
        if (!_model.ByteFallback) return false;
        Span<byte> bytes = stackalloc byte[4];
        bytes = bytes[..rune.EncodeToUtf8(bytes)];
        foreach (byte value in bytes)
            if (_bytes[value] == None) return false;
        foreach (byte value in bytes) symbols[count++] = _bytes[value];
        return true;
    }

    private int Id(int code) => code < 0x10000 ? _basic[code] : _beyond.GetValueOrDefault(code, None);

    [MethodImpl(Hot.Path)]
    private PairSet? Inside()
    {
        TokenTable vocabulary = _model.Vocabulary;
        bool[] exotic = new bool[vocabulary.Size];
        foreach (int id in _bytes.Append(_model.Unknown ?? None))
            if (id != None) exotic[id] = true;
        // Of each token the first and the last character; tokens are in many merges.
        (int First, int Last)[] edges = new (int, int)[vocabulary.Size];
        for (int id = 0; id < edges.Length; id++)
        {
            if (!vocabulary.Has(id)) continue;
            Rune.DecodeFromUtf8(vocabulary.Text(id), out Rune first, out _);
            Rune.DecodeLastFromUtf8(vocabulary.Text(id), out Rune last, out _);
            edges[id] = (first.Value, last.Value);
        }
        var pairs = new PairSet();
        foreach ((int left, int right, _) in _model.Merges)
        {
            // Merges of bytes or of the unknown token: no character tells where those may be.
            if (exotic[left] || exotic[right]) return null;
            pairs.Add(edges[left].Last, edges[right].First);
        }
        return pairs;
    }
}
