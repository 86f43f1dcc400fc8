using System.Globalization;
using System.Text;

namespace Troupe.Model.Tokenizer;

/// <summary>The known ways to cut a text into pieces before merging.</summary>
internal enum PreTokenizerKind
{
    /// <summary>The pattern of GPT-2, which ByteLevel uses by itself.</summary>
    Gpt2,

    /// <summary>The pattern of Qwen2 and Qwen3.</summary>
    Qwen,
}

/// <summary>
/// Cuts a text as the two known regular expressions do, scanned by hand over whole code points: .NET's Regex sees half of a letter
/// outside the BMP, and these patterns need no search. Linear in the text.
/// </summary>
internal static class PreTokenizer
{
    /// <summary>What ByteLevel with use_regex stands for.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>The Split of Qwen2 and Qwen3.</summary>
    public const string QwenPattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        + @"|\s*[\r\n]+|\s+(?!\S)|\s+";

    private enum Class : byte { Other, Letter, Number, Space }

    private static readonly Class[] Ascii = [.. Enumerable.Range(0, 128).Select(c => Of(new Rune(c)))];

    /// <summary>Where the piece that begins at the start ends. The start lies in the text; no piece is empty.</summary>
    public static int End(PreTokenizerKind kind, ReadOnlySpan<char> text, int start) =>
        kind == PreTokenizerKind.Gpt2 ? Gpt2End(text, start) : QwenEnd(text, start);

    private static int Gpt2End(ReadOnlySpan<char> text, int start)
    {
        if (Contraction(text, start, ignoreCase: false) is > 0 and int contraction) return contraction;
        (Class first, int next) = Read(text, start);
        // One space goes with the letters, numbers or others behind it.
        if (text[start] == ' ' && next < text.Length && Read(text, next).Class is not Class.Space and Class behind)
            return Run(text, next, behind);
        return first == Class.Space ? SpaceEnd(text, start) : Run(text, next, first);
    }

    private static int QwenEnd(ReadOnlySpan<char> text, int start)
    {
        if (Contraction(text, start, ignoreCase: true) is > 0 and int contraction) return contraction;
        (Class first, int next) = Read(text, start);
        if (first == Class.Letter) return Run(text, next, Class.Letter);
        if (first == Class.Number) return next;
        // Any one character but a line end goes with the letters behind it; a space alone also goes with others.
        Class? behind = next < text.Length ? Read(text, next).Class : null;
        if (behind == Class.Letter && text[start] is not ('\r' or '\n')) return Run(text, next, Class.Letter);
        if (first == Class.Other || (text[start] == ' ' && behind == Class.Other))
        {
            int end = Run(text, next, Class.Other);
            while (end < text.Length && text[end] is '\r' or '\n') end++;
            return end;
        }
        int line = text[start..Run(text, start, Class.Space)].LastIndexOfAny('\r', '\n');
        return line >= 0 ? start + line + 1 : SpaceEnd(text, start);
    }

    /// <summary>\s+(?!\S)|\s+: a run of spaces leaves its last one to what follows, unless it has but one or nothing follows.</summary>
    private static int SpaceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = Run(text, start, Class.Space);
        // All spaces are one UTF-16 unit long.
        return end == text.Length || end == start + 1 ? end : end - 1;
    }

    private static int Run(ReadOnlySpan<char> text, int at, Class wanted)
    {
        while (at < text.Length)
        {
            (Class found, int next) = Read(text, at);
            if (found != wanted) break;
            at = next;
        }
        return at;
    }

    private static int Contraction(ReadOnlySpan<char> text, int start, bool ignoreCase)
    {
        if (text[start] != '\'' || start + 1 >= text.Length) return 0;
        char first = text[start + 1], second = start + 2 < text.Length ? text[start + 2] : '\0';
        if (ignoreCase) (first, second) = (Fold(first), Fold(second));
        return (first, second) switch
        {
            ('s' or 't' or 'm' or 'd', _) => start + 2,
            ('r' or 'v', 'e') or ('l', 'l') => start + 3,
            _ => 0,
        };
    }

    // The long s is the only letter beyond ASCII that folds to one of a contraction.
    private static char Fold(char c) => c == '\u017F' ? 's' : char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c;

    private static (Class Class, int Next) Read(ReadOnlySpan<char> text, int at)
    {
        char c = text[at];
        if (c < 128) return (Ascii[c], at + 1);
        Rune.DecodeFromUtf16(text[at..], out Rune rune, out int units);
        return (Of(rune), at + units);
    }

    private static Class Of(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Class.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Class.Number,
        _ => Rune.IsWhiteSpace(rune) ? Class.Space : Class.Other,
    };
}
