using System.Text;
using System.Text.RegularExpressions;

namespace Troupe.Testing.Fuzz;

/// <summary>Damage that knows words: those of a language are moved, left out, repeated, put into each other and in each other's
/// place.</summary>
/// <param name="words">Words and signs of the language, and whole phrases that are known to be hard.</param>
/// <param name="nests">What can be put in itself: what opens and what closes.</param>
public sealed partial class TextMutator(string[] words, (string Open, string Close)[] nests)
{
    /// <summary>The text with a few changes; some of another text too.</summary>
    public byte[] Mutate(byte[] text, byte[] other, Random random)
    {
        List<string> parts = Parts(text), theirs = Parts(other);
        for (bool more = true; more; more = random.Next(2) == 0) Once(parts, theirs, random);
        byte[] made = Encoding.UTF8.GetBytes(string.Concat(parts));
        return random.Next(10) == 0 ? ByteMutator.Mutate(made, other, random) : made;
    }

    private void Once(List<string> parts, List<string> theirs, Random random)
    {
        int at = random.Next(parts.Count + 1), count = Math.Min(parts.Count - at, 1 + (int)(Math.Pow(random.NextDouble(), 3) * 20));
        switch (random.Next(9))
        {
            case 0:
                parts.RemoveRange(at, count);
                break;
            case 1:
                parts.InsertRange(random.Next(parts.Count + 1), parts.GetRange(at, count));
                break;
            case 2 or 3:
                parts.Insert(at, words[random.Next(words.Length)]);
                break;
            case 4 or 5 when at < parts.Count:
                parts[at] = words[random.Next(words.Length)];
                break;
            case 6 when theirs.Count > 0:
                int from = random.Next(theirs.Count);
                parts.InsertRange(at, theirs.GetRange(from, Math.Min(theirs.Count - from, 1 + random.Next(20))));
                break;
            case 7:
                (string open, string close) = nests[random.Next(nests.Length)];
                int times = 1 << random.Next(1, 12);
                parts.Insert(Math.Min(parts.Count, at + count), string.Concat(Enumerable.Repeat(close, times)));
                parts.Insert(at, string.Concat(Enumerable.Repeat(open, times)));
                break;
            case 8 when random.Next(4) == 0:
                parts.RemoveRange(at, parts.Count - at);
                break;
        }
    }

    private static List<string> Parts(byte[] text) => [.. Part().Matches(Encoding.UTF8.GetString(text)).Select(match => match.Value)];

    [GeneratedRegex(@"\{[%{#][-+]?|[-+]?[%}#]\}|\w+|'[^'\n]*'|""[^""\n]*""|\s+|.", RegexOptions.ExplicitCapture)]
    private static partial Regex Part();
}
