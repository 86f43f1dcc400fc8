using System.Buffers;

namespace Troupe.Model.Tokenizer;

/// <summary>Finds added tokens in a text: the leftmost first, and of those that begin at one place the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly SearchValues<string> _texts;
    private readonly AddedToken[] _longestFirst;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        // Where two have the same text the later one counts, as in the reference.
        _longestFirst = [.. tokens.Reverse().DistinctBy(token => token.Text).OrderByDescending(token => token.Text.Length)];
        _texts = SearchValues.Create([.. _longestFirst.Select(token => token.Text)], StringComparison.Ordinal);
    }

    /// <summary>The first token at or behind the start, and where it stands; null if there is none.</summary>
    public (AddedToken Token, int At)? Next(ReadOnlySpan<char> text, int start)
    {
        if (_longestFirst.Length == 0) return null;
        int found = text[start..].IndexOfAny(_texts);
        if (found < 0) return null;
        foreach (AddedToken token in _longestFirst)
            if (text[(start + found)..].StartsWith(token.Text, StringComparison.Ordinal)) return (token, start + found);
        throw new InvalidOperationException($"a search for added tokens stopped at {start + found}, where none stands");
    }
}
