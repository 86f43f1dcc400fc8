namespace Troupe.Model.Tokenizer.Patterns;

/// <summary>A regular expression as a tree.</summary>
internal abstract record PatternNode
{
    /// <summary>One code point of a set.</summary>
    public sealed record One(CodePointSet Set) : PatternNode;

    /// <summary>One after the other; none is the empty text.</summary>
    public sealed record Sequence(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>The first of them that leads to a match.</summary>
    public sealed record Choice(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>As often as possible, from Min to Max times; no limit where Max is null.</summary>
    public sealed record Repeat(PatternNode Part, int Min, int? Max) : PatternNode;

    /// <summary>Nothing, where the next code point is in the set; the text's end is not. Negated: where it is not in it.</summary>
    public sealed record Ahead(CodePointSet Set, bool Negated) : PatternNode;
}
