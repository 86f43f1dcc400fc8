using System.Runtime.CompilerServices;
using Troupe.Model.Tokenizer.Patterns;

namespace Troupe.Model.Tokenizer;

/// <summary>What becomes of the matches of a Split, the delimiters.</summary>
internal enum SplitBehavior
{
    /// <summary>Each is a piece of its own, and so is what stands between them.</summary>
    Isolated,

    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Those in a row are one piece.</summary>
    Contiguous,

    /// <summary>Each ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>Each begins the piece behind it.</summary>
    MergedWithNext,
}

/// <summary>When a sign is set before a piece.</summary>
internal enum PrefixScheme
{
    /// <summary>Never.</summary>
    Never,

    /// <summary>Before what the text begins with.</summary>
    First,

    /// <summary>Before every piece that does not begin with it.</summary>
    Always,
}

/// <summary>One step of cutting; each takes every piece of the one before.</summary>
internal abstract record CuttingStep
{
    /// <summary>Cuts at the matches of a pattern.</summary>
    public sealed record Split(PatternScanner Pattern, SplitBehavior Behavior, bool Invert) : CuttingStep;

    /// <summary>Replaces blanks, if Blank is given, and sets a sign before a piece.</summary>
    public sealed record Prefix(char Sign, bool ReplacesBlanks, PrefixScheme Scheme) : CuttingStep;
}

/// <summary>Cuts a text into the pieces that merges do not cross. Linear in the text.</summary>
/// <param name="Steps">The steps, in order.</param>
/// <param name="ByteLevel">Whether pieces are then spelled in bytes; otherwise in characters.</param>
internal sealed record PreTokenizer(IReadOnlyList<CuttingStep> Steps, bool ByteLevel)
{
    /// <summary>What takes a piece.</summary>
    public delegate void Taker(ReadOnlySpan<char> piece);

    /// <summary>Gives all pieces of a text in order; none is empty. No half of a surrogate pair may stand in the text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="first">Whether the whole text begins here.</param>
    /// <param name="take">Gets the pieces.</param>
    public void Cut(ReadOnlySpan<char> text, bool first, Taker take) => Cut(0, text, first, take);

    [MethodImpl(Hot.Path)]
    private void Cut(int step, ReadOnlySpan<char> text, bool first, Taker take)
    {
        if (text.IsEmpty) return;
        if (step == Steps.Count)
            take(text);
        else if (Steps[step] is CuttingStep.Prefix prefix)
            Cut(step + 1, WithSign(prefix, text, first), first, take);
        else if (Steps[step] is CuttingStep.Split { Behavior: SplitBehavior.Isolated } isolated)
            CutIsolated(step, isolated.Pattern, text, first, take);
        else if (Steps[step] is CuttingStep.Split split)
            foreach ((int start, int end) in Parts(split, text)) Cut(step + 1, text[start..end], first && start == 0, take);
    }

    [MethodImpl(Hot.Path)]
    private void CutIsolated(int step, PatternScanner pattern, ReadOnlySpan<char> text, bool first, Taker take)
    {
        PatternScanner.Failures failures = default;
        for (int at = 0; at < text.Length;)
        {
            (int start, int end) = pattern.Find(text, at, ref failures);
            if (start < 0) (start, end) = (text.Length, text.Length);
            Cut(step + 1, text[at..start], first && at == 0, take);
            Cut(step + 1, text[start..end], first && start == 0, take);
            at = end;
        }
        failures.Dispose();
    }

    private static ReadOnlySpan<char> WithSign(CuttingStep.Prefix prefix, ReadOnlySpan<char> text, bool first)
    {
        bool replaces = prefix.ReplacesBlanks && text.Contains(' ');
        char begin = text[0] == ' ' && prefix.ReplacesBlanks ? prefix.Sign : text[0];
        bool sets = begin != prefix.Sign && (prefix.Scheme == PrefixScheme.Always || (prefix.Scheme == PrefixScheme.First && first));
        if (!replaces && !sets) return text;
        char[] result = new char[text.Length + (sets ? 1 : 0)];
        result[0] = prefix.Sign;
        Span<char> rest = result.AsSpan(sets ? 1 : 0);
        if (replaces) text.Replace(rest, ' ', prefix.Sign);
        else text.CopyTo(rest);
        return result;
    }

    /// <summary>The pieces of a split other than Isolated, by the reference's rules for the matches and what lies between them.</summary>
    private static List<(int Start, int End)> Parts(CuttingStep.Split split, ReadOnlySpan<char> text)
    {
        List<(int Start, int End, bool Match)> found = Matches(split, text);
        var parts = new List<(int Start, int End)>();
        bool backwards = split.Behavior == SplitBehavior.MergedWithNext, previous = false;
        if (backwards) found.Reverse();
        foreach ((int start, int end, bool match) in found)
        {
            bool joins = parts.Count > 0 && split.Behavior switch
            {
                SplitBehavior.Contiguous => match == previous,
                SplitBehavior.Removed => false,
                _ => match && !previous,
            };
            if (joins) parts[^1] = backwards ? (start, parts[^1].End) : (parts[^1].Start, end);
            else if (!match || split.Behavior != SplitBehavior.Removed) parts.Add((start, end));
            previous = match;
        }
        if (backwards) parts.Reverse();
        return parts;
    }

    private static List<(int, int, bool)> Matches(CuttingStep.Split split, ReadOnlySpan<char> text)
    {
        var found = new List<(int, int, bool)>();
        PatternScanner.Failures failures = default;
        int at = 0;
        while (split.Pattern.Find(text, at, ref failures) is (>= 0 and int start, var end))
        {
            if (start > at) found.Add((at, start, split.Invert));
            found.Add((start, end, !split.Invert));
            at = end;
        }
        failures.Dispose();
        if (at < text.Length) found.Add((at, text.Length, split.Invert));
        return found;
    }
}
