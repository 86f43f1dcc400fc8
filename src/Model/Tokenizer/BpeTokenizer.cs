using System.Buffers;
using System.Text;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Text to token ids and back, by the byte-level BPE of a model's tokenizer.json; the same ids as the reference implementation of that
/// format. Immutable but for a cache; safe to share between threads.
/// </summary>
public sealed class BpeTokenizer
{
    private readonly TokenizerParts _parts;
    private readonly AddedTokenFinder _raw, _normalized;
    private readonly byte[]?[] _bytes;
    private readonly HashSet<int> _special;
    private readonly WordCache _cache = new();

    private BpeTokenizer(TokenizerParts parts)
    {
        _parts = parts;
        _raw = new AddedTokenFinder(parts.Added.Where(token => !token.Normalized));
        _normalized = new AddedTokenFinder(parts.Added.Where(token => token.Normalized)
            .Select(token => parts.Nfc ? token with { Text = Nfc.Normalize(token.Text) } : token));
        _bytes = [.. parts.Tokens.Select(token => token is null ? null : ByteAlphabet.BytesOf(token))];
        _special = [.. parts.Added.Where(token => token.Special).Select(token => token.Id)];
    }

    /// <summary>One more than the highest id. A model's vocabulary may have more rows than this.</summary>
    public int Size => _bytes.Length;

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
    public int[] Encode(string text, bool addSpecial = true)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        if (addSpecial) ids.AddRange(_parts.Before);
        text = WithoutHalves(text);
        int at = 0;
        while (at < text.Length)
        {
            var found = _raw.Next(text, at);
            string before = text[at..(found?.At ?? text.Length)];
            EncodeNormalized(_parts.Nfc ? Nfc.Normalize(before) : before, ids);
            if (found is not var (token, start)) break;
            ids.Add(token.Id);
            at = start + token.Text.Length;
        }
        if (addSpecial) ids.AddRange(_parts.After);
        return [.. ids];
    }

    /// <summary>
    /// The text of ids. Bytes that are not UTF-8 become U+FFFD, one for each longest part that could have begun a character.
    /// </summary>
    /// <exception cref="ModelException">An id is not in the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = false)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, 4 * ids.Length));
        foreach (int id in ids)
        {
            ReadOnlySpan<byte> token = TokenBytes(id);
            if (!skipSpecial || !IsSpecial(id)) bytes.Write(token);
        }
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>The bytes that a token stands for; they may be part of a character.</summary>
    /// <exception cref="ModelException">The id is not in the vocabulary.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id) => (uint)id < (uint)_bytes.Length && _bytes[id] is { } bytes
        ? bytes
        : throw new ModelException(
            $"token id {id} is not in the vocabulary of {Size} ids; do the tokenizer and the model belong together?");

    /// <summary>Whether the vocabulary has the id.</summary>
    public bool Contains(int id) => (uint)id < (uint)_bytes.Length && _bytes[id] is not null;

    /// <summary>Whether the id is a special token, one that decoding may leave out.</summary>
    public bool IsSpecial(int id) => _special.Contains(id);

    /// <summary>The id of a token as tokenizer.json spells it, such as an added token's content; null if there is none.</summary>
    public int? IdOf(string token) => Array.IndexOf(_parts.Tokens, token) is >= 0 and int id ? id : null;

    private void EncodeNormalized(string text, List<int> ids)
    {
        int at = 0;
        while (at < text.Length)
        {
            var found = _normalized.Next(text, at);
            EncodePlain(text.AsSpan(at, (found?.At ?? text.Length) - at), ids);
            if (found is not var (token, start)) break;
            ids.Add(token.Id);
            at = start + token.Text.Length;
        }
    }

    private void EncodePlain(ReadOnlySpan<char> text, List<int> ids)
    {
        while (text.Length > 0)
        {
            int end = PreTokenizer.End(_parts.PreTokenizer, text, 0);
            EncodePiece(text[..end], ids);
            text = text[end..];
        }
    }

    private void EncodePiece(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (_cache.TryGet(piece, out ReadOnlySpan<int> known))
        {
            ids.AddRange(known);
            return;
        }
        int length = Encoding.UTF8.GetByteCount(piece);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(length);
        int[] symbols = ArrayPool<int>.Shared.Rent(length);
        Encoding.UTF8.GetBytes(piece, bytes);
        int count = length;
        if (Whole(bytes.AsSpan(0, length)) is { } id)
        {
            (symbols[0], count) = (id, 1);
        }
        else
        {
            for (int i = 0; i < length; i++) symbols[i] = _parts.ByteIds[bytes[i]];
            count = _parts.Merges.Merge(symbols.AsSpan(0, length));
        }
        ids.AddRange(symbols.AsSpan(0, count));
        _cache.Put(piece, symbols.AsSpan(0, count));
        ArrayPool<byte>.Shared.Return(bytes);
        ArrayPool<int>.Shared.Return(symbols);
    }

    private int? Whole(ReadOnlySpan<byte> bytes)
    {
        if (_parts.WholePieces is not { } whole) return null;
        var spelled = new StringBuilder(bytes.Length);
        foreach (byte value in bytes) spelled.Append(ByteAlphabet.Spell(value));
        return whole.TryGetValue(spelled.ToString(), out int id) ? id : null;
    }

    private static string WithoutHalves(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF')) return text;
        var result = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes()) result.Append(rune.ToString());
        return result.ToString();
    }
}
