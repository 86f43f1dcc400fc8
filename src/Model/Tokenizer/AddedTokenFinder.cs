using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using Troupe.Model.Tokenizer.Patterns;

namespace Troupe.Model.Tokenizer;

/// <summary>Finds added tokens in a text: the leftmost first, and of those that begin at one place the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly SearchValues<char> _firsts;
    // A tree of their characters, by node and next character; the nodes behind a whole token.
    private readonly Dictionary<long, int> _nodes = [];
    private readonly Dictionary<int, AddedToken> _ends = [];

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        var firsts = new HashSet<char>();
        foreach (AddedToken token in tokens)
        {
            int node = 0;
            foreach (char c in token.Text)
                if (!_nodes.TryAdd(Key(node, c), _nodes.Count + 1)) node = _nodes[Key(node, c)];
                else node = _nodes.Count;
            firsts.Add(token.Text[0]);
            // Where two have the same text the later one counts, as in the reference.
            _ends[node] = token;
        }
        _firsts = SearchValues.Create([.. firsts]);
    }

    /// <summary>One that was found: the token and the text that it takes in, white space too where it does that.</summary>
    public readonly record struct Found(AddedToken Token, int Start, int End);

    /// <summary>Splits a text at the added tokens in it, one after the other.</summary>
    /// <param name="text">The text.</param>
    /// <param name="from">Where to look from; then behind the token.</param>
    /// <param name="floor">Where the text begins that no token has taken in yet.</param>
    public Found? Next(ReadOnlySpan<char> text, ref int from, int floor)
    {
        while (_ends.Count > 0 && from < text.Length && text[from..].IndexOfAny(_firsts) is >= 0 and int ahead)
        {
            int start = from + ahead;
            if (Longest(text[start..]) is not { } token)
            {
                from = start + 1;
                continue;
            }
            int end = from = start + token.Text.Length;
            if (token.SingleWord && (EndsInWord(text[..start]) || BeginsWithWord(text[end..]))) continue;
            if (token.StripsLeft)
            {
                while (start > floor && char.IsWhiteSpace(text[start - 1])) start--;
                start = Math.Max(start, floor);
            }
            if (token.StripsRight)
                while (end < text.Length && char.IsWhiteSpace(text[end])) end++;
            return new Found(token, start, end);
        }
        return null;
    }

    [MethodImpl(Hot.Path)]
    private AddedToken? Longest(ReadOnlySpan<char> text)
    {
        AddedToken? longest = null;
        int node = 0;
        foreach (char c in text)
        {
            if (!_nodes.TryGetValue(Key(node, c), out node)) break;
            if (_ends.TryGetValue(node, out AddedToken? token)) longest = token;
        }
        return longest;
    }

    private static long Key(int node, char next) => ((long)node << 16) | next;

    private static bool EndsInWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && CodePointSet.WideWord.Contains(rune.Value);

    private static bool BeginsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && CodePointSet.WideWord.Contains(rune.Value);
}
