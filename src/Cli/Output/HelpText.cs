using System.CommandLine;
using System.CommandLine.Invocation;
using Troupe.Cli.Options;

namespace Troupe.Cli.Output;

/// <summary>Writes the help of a command: what it does, how it is called, its options by group, an example.</summary>
internal sealed class HelpText(int width) : SynchronousCommandLineAction
{
    private const int NameColumn = 32, MaxWidth = 120;
    private readonly int _width = Math.Min(width, MaxWidth);

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        Write(parseResult.CommandResult.Command, parseResult.InvocationConfiguration.Output);
        return ExitCode.Done;
    }

    /// <summary>Writes the help of one command.</summary>
    public void Write(Command command, TextWriter to)
    {
        foreach (string line in Wrap(command.Description ?? "", _width)) to.WriteLine(line);
        to.WriteLine();
        to.WriteLine($"  {Usage(command)}");
        if (command is Verb { Details.Length: > 0 } detailed)
        {
            to.WriteLine();
            foreach (string paragraph in detailed.Details.Split('\n'))
                foreach (string line in Wrap(paragraph, _width)) to.WriteLine(line);
        }
        if (command.Arguments.Count > 0) Section(to, "Arguments", command.Arguments.Select(a => (ArgumentName(a), a.Description ?? "")));
        if (command.Subcommands.Count > 0)
            Section(to, "Verbs", command.Subcommands.Where(c => !c.Hidden).Select(c => (c.Name, c.Description ?? "")));
        foreach (OptionGroup group in (command as Verb)?.Groups ?? [])
            Section(to, group.Title, group.Options.Select(o => (Names(o), Describe(o))));
        IEnumerable<Option> own = command is RootCommand ? command.Options : [];
        if (own.Any()) Section(to, "Options", own.Select(o => (Names(o), o.Description ?? "")));
        if (command is Verb verb)
        {
            to.WriteLine();
            to.WriteLine($"Example: {verb.Example}");
        }
    }

    private static string Usage(Command command)
    {
        var words = new Stack<string>();
        for (Symbol? at = command; at is Command; at = at.Parents.FirstOrDefault()) words.Push(at is RootCommand ? "./troupe" : at.Name);
        IEnumerable<string> arguments =
            command.Arguments.Select(a => a.Arity.MinimumNumberOfValues == 0 ? $"[{ArgumentName(a)}]" : ArgumentName(a));
        string tail = command.Subcommands.Count > 0 ? "VERB [options]" : "[options]";
        return string.Join(' ', words.Concat(arguments).Append(tail));
    }

    private static string ArgumentName(Argument argument) => argument.Name + (argument.Arity.MaximumNumberOfValues > 1 ? " ..." : "");

    private static string Names(Option option) =>
        string.Join(", ", option.Aliases.Where(a => a.Length == 2).Append(option.Name)) + (option.HelpName is { } value ? $" {value}" : "");

    private static string Describe(Option option)
    {
        object? fallback = option.HasDefaultValue && option.ValueType != typeof(bool) ? option.GetDefaultValue() : null;
        return (option.Description ?? "") + (fallback is null or Array ? "" : FormattableString.Invariant($" (default: {fallback})"));
    }

    private void Section(TextWriter to, string title, IEnumerable<(string Name, string Text)> rows)
    {
        to.WriteLine();
        to.WriteLine(title);
        foreach ((string name, string text) in rows)
        {
            string first = $"  {name}".PadRight(NameColumn);
            foreach (string line in Wrap(text, _width - NameColumn))
            {
                // A long name has its line to itself.
                if (first.Length > NameColumn)
                {
                    to.WriteLine(first);
                    first = new string(' ', NameColumn);
                }
                to.WriteLine(first + line);
                first = new string(' ', NameColumn);
            }
        }
    }

    private static IEnumerable<string> Wrap(string text, int width)
    {
        var line = new System.Text.StringBuilder();
        foreach (string word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line.ToString();
                line.Clear();
            }
            if (line.Length > 0) line.Append(' ');
            line.Append(word);
        }
        yield return line.ToString();
    }
}
