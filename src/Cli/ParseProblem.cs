using System.CommandLine;
using System.CommandLine.Parsing;

namespace Troupe.Cli;

/// <summary>Says what is wrong with a command line in one line, with the nearest word that would have been right.</summary>
internal static class ParseProblem
{
    /// <summary>The first problem, and where to read on; null where there is none.</summary>
    public static string? Of(ParseResult parsed, RootCommand root)
    {
        Command command = parsed.CommandResult.Command;
        string? problem = Misspelt(parsed) is { } word ? Unknown(word, command) : parsed.Errors.Count > 0 ? Problem(parsed, command, root)
            : null;
        string path = string.Join(' ', Path(command));
        return problem is null ? null : $"{problem}; see ./troupe {path}{(path.Length > 0 ? " " : "")}--help";
    }

    /// <summary>
    /// A word that looks like an option but was taken for an argument, such as a prompt; behind <c>--</c> any word may be one.
    /// </summary>
    private static string? Misspelt(ParseResult parsed)
    {
        Token[] arguments = [.. parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens)];
        return parsed.Tokens.TakeWhile(t => t.Type != TokenType.DoubleDash)
            .FirstOrDefault(t => t.Value.Length > 1 && t.Value[0] == '-' && !t.Value.Contains(' ')
                && arguments.Any(a => ReferenceEquals(a, t)))?.Value;
    }

    private static string Problem(ParseResult parsed, Command command, RootCommand root)
    {
        // An option's own check says most; a word that nobody knows explains what is missing behind it.
        if (parsed.Errors.FirstOrDefault(e => e.Message.StartsWith("--", StringComparison.Ordinal)) is { } own) return own.Message;
        if (parsed.UnmatchedTokens.Count > 0) return Unknown(parsed.UnmatchedTokens[0], command);
        if (command.Subcommands.Count > 0)
            return $"{(command == root ? "a verb" : $"{command.Name} what")} is wanted: one of "
                + $"{string.Join(", ", command.Subcommands.Select(c => c.Name))}";
        ParseError error = parsed.Errors[0];
        return error.SymbolResult switch
        {
            OptionResult option when option.Tokens.Count == 0 => $"{option.Option.Name} wants a value ({option.Option.HelpName})",
            OptionResult option => $"{option.Option.Name} may be given once",
            ArgumentResult argument when argument.Tokens.Count == 0 => $"{argument.Argument.Name} is missing",
            CommandResult { Command: var c } when c.Arguments.FirstOrDefault(a => a.Arity.MinimumNumberOfValues > 0) is { } missing =>
                $"{missing.Name} is missing",
            _ => error.Message.TrimEnd('.'),
        };
    }

    private static string Unknown(string word, Command command)
    {
        bool option = word.StartsWith('-');
        IEnumerable<string> known = option ? command.Options.Select(o => o.Name) : command.Subcommands.Select(c => c.Name);
        string? near = known.Select(k => (Word: k, Distance: Distance(word.Split('=')[0], k)))
            .Where(k => k.Distance <= 1 + (k.Word.Length / 5))
            .OrderBy(k => k.Distance).Select(k => k.Word).FirstOrDefault();
        string kind = option ? "option" : command.Subcommands.Count > 0 ? "verb" : "argument";
        return $"unknown {kind} '{word}'{(near is null ? "" : $"; did you mean {near}?")}";
    }

    private static IEnumerable<string> Path(Command command) =>
        command is RootCommand ? [] : Path((Command)command.Parents.First()).Append(command.Name);

    /// <summary>Levenshtein's distance: insertions, deletions and replacements from one word to the other.</summary>
    internal static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
                (row[j], diagonal) = (Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)), row[j]);
        }
        return row[b.Length];
    }
}
