using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Text to token ids and back, by the BPE of a model's tokenizer.json, byte-level or of characters; the same ids as the reference
/// implementation of that format. Immutable but for a cache; safe to share between threads.
/// </summary>
public sealed class BpeTokenizer
{
    /// <summary>The most UTF-16 units of one text.</summary>
    public const int MaxTextLength = 1 << 28;

    /// <summary>A longer piece is never looked up as a whole.</summary>
    private const int MaxWholePiece = 1024;

    /// <summary>So many symbols lie on the stack.</summary>
    private const int FewSymbols = 128;

    private readonly TokenizerParts _parts;
    private readonly AddedTokenFinder _raw, _normalized;
    private readonly BytePairMerges _merges;
    private readonly HashSet<int> _special;
    private readonly Dictionary<string, int> _added;
    private readonly WordCache _cache = new();

    private BpeTokenizer(TokenizerParts parts)
    {
        _parts = parts;
        _merges = new BytePairMerges(parts.Model.Merges);
        _raw = new AddedTokenFinder(parts.Added.Where(token => !token.Normalized));
        _normalized = new AddedTokenFinder(parts.Added.Where(token => token.Normalized)
            .Select(token => token with { Text = parts.Normalizer.Apply(token.Text) }).Where(token => token.Text.Length > 0));
        _special = [.. parts.Added.Where(token => token.Special).Select(token => token.Id)];
        _added = [];
        foreach (AddedToken token in parts.Added) _added[token.Text] = token.Id;
    }

    /// <summary>One more than the highest id. A model's vocabulary may have more rows than this.</summary>
    public int Size => _parts.Texts.Size;

    internal TokenTexts Texts => _parts.Texts;

    /// <summary>Reads the tokenizer.json of a model folder.</summary>
    /// <exception cref="ModelException">It is missing, broken, or of a kind that is not supported.</exception>
    public static BpeTokenizer Load(string folder) =>
        Parse(Path.Combine(folder, "tokenizer.json"), ModelFiles.Bytes(folder, "tokenizer.json"));

    /// <summary>Reads the bytes of a tokenizer.json; the path is for messages.</summary>
    /// <exception cref="ModelException">The text is broken, or of a kind that is not supported.</exception>
    public static BpeTokenizer Parse(string path, ReadOnlyMemory<byte> json) => new(TokenizerFile.Read(path, json));

    /// <summary>
    /// The ids of a text. Added tokens are found in it wherever they stand. Half a surrogate pair counts as U+FFFD.
    /// </summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecial">Whether the tokenizer's template, if it has one, sets special tokens around it.</param>
    /// <exception cref="ModelException">The text is longer than <see cref="MaxTextLength"/>.</exception>
    public int[] Encode(string text, bool addSpecial = true)
    {
        if (text.Length > MaxTextLength)
            throw new ModelException($"a text has {text.Length} characters, at most {MaxTextLength} are encoded; split it");
        var ids = new List<int>(text.Length / 3 + 8);
        if (addSpecial) ids.AddRange(_parts.Before);
        text = WithoutHalves(text);
        int from = 0, floor = 0;
        while (_raw.Next(text, ref from, floor) is var (token, start, end))
        {
            if (floor < start) EncodeRaw(text[floor..start], floor == 0, ids);
            ids.Add(token.Id);
            floor = end;
        }
        if (floor < text.Length) EncodeRaw(text[floor..], floor == 0, ids);
        if (addSpecial) ids.AddRange(_parts.After);
        return [.. ids];
    }

    /// <summary>
    /// The text of ids. Bytes that are not UTF-8 become U+FFFD, one for each longest part that could have begun a character; spelled by
    /// tokens of single bytes, one for each byte of the run.
    /// </summary>
    /// <exception cref="ModelException">An id is not in the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = false)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, 4 * ids.Length));
        var assembler = new TextAssembler(Texts);
        foreach (int id in ids)
        {
            Check(id);
            if (!skipSpecial || !IsSpecial(id)) assembler.Append(id, bytes);
        }
        assembler.Finish(bytes);
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>The bytes that a token stands for; they may be part of a character.</summary>
    /// <exception cref="ModelException">The id is not in the vocabulary.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id)
    {
        Check(id);
        return Texts.Bytes(id);
    }

    /// <summary>Whether the vocabulary has the id.</summary>
    public bool Contains(int id) => Texts.Has(id);

    /// <summary>Whether the id is a special token, one that decoding may leave out.</summary>
    public bool IsSpecial(int id) => _special.Contains(id);

    /// <summary>The id of a token as tokenizer.json spells it, such as an added token's content; null if there is none.</summary>
    public int? IdOf(string token)
    {
        if (_added.TryGetValue(token, out int id)) return id;
        return _parts.Model.Vocabulary.Find(Encoding.UTF8.GetBytes(token)) is >= 0 and int known ? known : null;
    }

    internal void Check(int id)
    {
        if (!Texts.Has(id))
            throw new ModelException(
                $"token id {id} is not in the vocabulary of {Size} ids; do the tokenizer and the model belong together?");
    }

    private void EncodeRaw(string raw, bool first, List<int> ids)
    {
        string text = _parts.Normalizer.Apply(raw);
        PreTokenizer.Taker take = piece => EncodePiece(piece, ids);
        int from = 0, floor = 0;
        while (_normalized.Next(text, ref from, floor) is var (token, start, end))
        {
            if (floor < start) _parts.PreTokenizer.Cut(text.AsSpan(floor, start - floor), first && floor == 0, take);
            ids.Add(token.Id);
            floor = end;
        }
        if (floor < text.Length) _parts.PreTokenizer.Cut(text.AsSpan(floor), first && floor == 0, take);
    }

    [MethodImpl(Hot.Path)]
    private void EncodePiece(ReadOnlySpan<char> piece, List<int> ids)
    {
        int end = _parts.Symbols.PartEnd(piece, 0);
        if (end < piece.Length && _parts.Model.WholePieces && Whole(piece) is { } id)
        {
            ids.Add(id);
            return;
        }
        bool whole = end == piece.Length;
        for (int start = 0; start < piece.Length; start = end)
        {
            end = start == 0 ? end : _parts.Symbols.PartEnd(piece, start);
            EncodePart(piece[start..end], whole, ids);
        }
    }

    [SkipLocalsInit, MethodImpl(Hot.Path)]
    private void EncodePart(ReadOnlySpan<char> part, bool whole, List<int> ids)
    {
        // A part of a piece is merged even where the same text as a piece is looked up; only pieces are remembered then.
        bool remembers = whole || !_parts.Model.WholePieces;
        Span<int> few = stackalloc int[FewSymbols];
        if (remembers && _cache.Get(part, few) is > 0 and int known)
        {
            ids.AddRange(few[..known]);
            return;
        }
        int most = _parts.Symbols.Most(part.Length);
        int[]? rented = most <= FewSymbols ? null : ArrayPool<int>.Shared.Rent(most);
        Span<int> symbols = rented ?? few;
        int count = 1;
        if (whole && _parts.Model.WholePieces && Whole(part) is { } id)
            symbols[0] = id;
        else
            count = _merges.Merge(symbols[.._parts.Symbols.Read(part, symbols)]);
        ids.AddRange(symbols[..count]);
        if (remembers) _cache.Put(part, symbols[..count]);
        if (rented is not null) ArrayPool<int>.Shared.Return(rented);
    }

    [SkipLocalsInit]
    private int? Whole(ReadOnlySpan<char> piece)
    {
        Span<byte> space = stackalloc byte[MaxWholePiece];
        return _parts.Symbols.Spell(piece, space) is { } length
            && _parts.Model.Vocabulary.Find(space[..length]) is >= 0 and int id ? id : null;
    }

    private static string WithoutHalves(string text)
    {
        int at = 0;
        while (text.AsSpan(at).IndexOfAnyInRange('\uD800', '\uDFFF') is >= 0 and int ahead)
        {
            at += ahead;
            if (at + 1 >= text.Length || !char.IsSurrogatePair(text[at], text[at + 1]))
                return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            at += 2;
        }
        return text;
    }
}
