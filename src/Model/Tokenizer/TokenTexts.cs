using System.Runtime.CompilerServices;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>How ids become text.</summary>
internal sealed record DecodingRules
{
    /// <summary>Whether tokens are spelled in the <see cref="ByteAlphabet"/>.</summary>
    public bool ByteLevel { get; init; }

    /// <summary>Texts that are replaced in each token, in order.</summary>
    public IReadOnlyList<(byte[] Old, byte[] New)> Replacements { get; init; } = [];

    /// <summary>Whether a token such as &lt;0x0A&gt; is that byte. Bytes in a row that are not UTF-8 become as many U+FFFD.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>What is taken off the whole text's beginning, as often as <see cref="StripCount"/> says at most.</summary>
    public byte[] Strip { get; init; } = [];

    /// <summary>How often.</summary>
    public int StripCount { get; init; }

    /// <summary>What is taken out of the first token before anything is replaced; empty for nothing.</summary>
    public byte[] DroppedInFirst { get; init; } = [];
}

/// <summary>The bytes that each id stands for, after the rules that look at one token alone.</summary>
internal sealed class TokenTexts
{
    /// <summary>The most bytes that replacements make of each byte of a token, and how many more.</summary>
    private const int MaxGrowth = 64, MaxMore = 4096;

    private readonly byte[] _text;
    // Where each id's bytes begin and end; the end is negative for a byte token, and both are 0 and absent for an id that is not used.
    private readonly (int Start, int Length, bool Used, bool IsByte)[] _places;

    /// <summary>Applies the rules to every token.</summary>
    /// <param name="rules">The rules.</param>
    /// <param name="vocabulary">The tokens.</param>
    /// <param name="added">Added tokens: id and what decoding sees of them.</param>
    public TokenTexts(DecodingRules rules, TokenTable vocabulary, IReadOnlyList<(int Id, string Text)> added)
    {
        Rules = rules;
        Size = Math.Max(vocabulary.Size, added.Select(token => token.Id + 1).DefaultIfEmpty(0).Max());
        _places = new (int, int, bool, bool)[Size];
        var text = new List<byte>(16 * vocabulary.Count);
        for (int id = 0; id < vocabulary.Size; id++)
            if (vocabulary.Has(id)) Add(id, vocabulary.Text(id), text);
        foreach ((int id, string content) in added) Add(id, System.Text.Encoding.UTF8.GetBytes(content), text);
        _text = [.. text];
        Firsts = rules.DroppedInFirst.Length == 0 ? null : id => Decoded(WithoutDropped(Source(vocabulary, added, id)));
    }

    /// <summary>The rules.</summary>
    public DecodingRules Rules { get; }

    /// <summary>One more than the highest id.</summary>
    public int Size { get; }

    /// <summary>The bytes of an id where it is the first of a text; null where that makes no difference.</summary>
    public Func<int, byte[]>? Firsts { get; }

    /// <summary>Whether the id is used.</summary>
    public bool Has(int id) => (uint)id < (uint)_places.Length && _places[id].Used;

    /// <summary>The bytes of an id; they may be part of a character.</summary>
    public ReadOnlySpan<byte> Bytes(int id) => _text.AsSpan(_places[id].Start, _places[id].Length);

    /// <summary>Whether the id stands for one byte of a run of bytes.</summary>
    public bool IsByte(int id) => _places[id].IsByte;

    [MethodImpl(Hot.Path)]
    private void Add(int id, ReadOnlySpan<byte> token, List<byte> text)
    {
        int start = text.Count;
        bool isByte = false;
        if (Rules.ByteLevel)
        {
            ByteAlphabet.AddBytes(token, text);
        }
        else if (Rules.Replacements.Count == 0 || !Touches(token))
        {
            isByte = Rules.ByteFallback && ByteOf(token) is { } value && Put(text, value);
            if (!isByte) text.AddRange(token);
        }
        else
        {
            text.AddRange(Decoded(token.ToArray()));
        }
        _places[id] = (start, text.Count - start, true, isByte);
    }

    private static bool Put(List<byte> text, byte value)
    {
        text.Add(value);
        return true;
    }

    private bool Touches(ReadOnlySpan<byte> token)
    {
        foreach ((byte[] old, _) in Rules.Replacements)
            if (token.IndexOf(old) >= 0) return true;
        return false;
    }

    private byte[] Decoded(byte[] token)
    {
        int given = token.Length, most = MaxGrowth * given + MaxMore;
        foreach ((byte[] old, byte[] changed) in Rules.Replacements)
        {
            if (token.Length + (long)token.AsSpan().Count(old) * (changed.Length - old.Length) > most)
                throw new ModelException($"the decoder of tokenizer.json makes more than {most} bytes of a token of {given}");
            token = Replaced(token, old, changed);
        }
        return token;
    }

    private byte[] WithoutDropped(byte[] token) => Replaced(token, Rules.DroppedInFirst, []);

    private static byte[] Source(TokenTable vocabulary, IReadOnlyList<(int Id, string Text)> added, int id) =>
        added.LastOrDefault(token => token.Id == id).Text is { } text
            ? System.Text.Encoding.UTF8.GetBytes(text) : vocabulary.Text(id).ToArray();

    private static byte[] Replaced(ReadOnlySpan<byte> token, byte[] old, byte[] changed)
    {
        var result = new List<byte>(token.Length);
        for (int at; (at = token.IndexOf(old)) >= 0; token = token[(at + old.Length)..])
        {
            result.AddRange(token[..at]);
            result.AddRange(changed);
        }
        result.AddRange(token);
        return [.. result];
    }

    private static byte? ByteOf(ReadOnlySpan<byte> token) =>
        token.Length == 6 && token.StartsWith("<0x"u8) && token[5] == '>' && Digit(token[3]) is { } high && Digit(token[4]) is { } low
            ? (byte)(16 * high + low) : null;

    private static int? Digit(byte c) => c switch
    {
        >= (byte)'0' and <= (byte)'9' => c - '0',
        >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
        >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
        _ => null,
    };
}
