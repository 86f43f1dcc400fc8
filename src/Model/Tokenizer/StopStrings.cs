using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Ends one request's text before the first stop text. The first is the one whose last character comes first, and of several that end
/// there the longest: so the outcome does not depend on how the text was cut into pieces. Text that may yet become a stop text is held
/// back. Not for several threads.
/// </summary>
public sealed class StopStrings
{
    /// <summary>How many stop texts a request may have.</summary>
    public const int MaxStops = 16;

    /// <summary>How many characters a stop text may have.</summary>
    public const int MaxLength = 1024;

    private readonly string[] _stops;
    private string _held = "";

    /// <summary>Watches for these texts; none is allowed.</summary>
    /// <exception cref="ModelException">Too many, or one is empty, too long, or not valid Unicode.</exception>
    public StopStrings(IReadOnlyCollection<string> stops)
    {
        if (stops.Count > MaxStops) throw new ModelException($"at most {MaxStops} stop texts are allowed, got {stops.Count}");
        foreach (string stop in stops)
        {
            if (stop.Length is 0 or > MaxLength)
                throw new ModelException($"a stop text must have 1 to {MaxLength} characters, got one with {stop.Length}");
            // Whole characters only: then what is held back never splits one.
            if (HasHalf(stop)) throw new ModelException("a stop text has half a surrogate pair; give whole characters");
        }
        _stops = [.. stops];
    }

    /// <summary>Whether a stop text has come. Nothing is given out after it.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Takes the next piece and gives the text that is now certain; may be empty.</summary>
    public string Append(string piece)
    {
        if (Stopped) return "";
        if (_stops.Length == 0) return piece;
        string text = _held + piece;
        if (FirstMatch(text) is { } start)
        {
            (Stopped, _held) = (true, "");
            return text[..start];
        }
        int sure = text.Length - HeldLength(text);
        _held = text[sure..];
        return text[..sure];
    }

    /// <summary>The text that was held back, at the end of a request that no stop text ended.</summary>
    public string Flush()
    {
        (string held, _held) = (_held, "");
        return held;
    }

    private int? FirstMatch(string text)
    {
        (int End, int Start) best = (int.MaxValue, 0);
        foreach (string stop in _stops)
        {
            int start = text.IndexOf(stop, StringComparison.Ordinal);
            if (start >= 0 && (start + stop.Length, start).CompareTo(best) < 0) best = (start + stop.Length, start);
        }
        return best.End == int.MaxValue ? null : best.Start;
    }

    private static bool HasHalf(string text)
    {
        for (int i = 0; i < text.Length; i++)
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) i++;
            else if (char.IsSurrogate(text[i])) return true;
        return false;
    }

    /// <summary>Length of the longest end of the text that a stop text begins with.</summary>
    private int HeldLength(string text)
    {
        int longest = 0;
        foreach (string stop in _stops)
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length))) longest = length;
        return longest;
    }
}
