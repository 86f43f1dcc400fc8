using System.CommandLine;

namespace Troupe.Cli.Options;

/// <summary>Options that belong together, under one title in the help.</summary>
internal sealed record OptionGroup(string Title, IReadOnlyList<Option> Options);

/// <summary>One verb: a command with option groups and an example for its help.</summary>
internal sealed class Verb : Command
{
    private readonly List<OptionGroup> _groups = [];

    /// <summary>A verb; its action comes with <see cref="Runs"/>.</summary>
    public Verb(string name, string summary, string example) : base(name, summary)
    {
        Example = example;
        Add(Output);
    }

    /// <summary>A command line that works, for the help.</summary>
    public string Example { get; }

    /// <summary>More for the help: a few lines about what the verb does. Empty for none.</summary>
    public string Details { get; init; } = "";

    /// <summary>--json and -v, which every verb has.</summary>
    public OutputOptions Output { get; } = new();

    /// <summary>The options by group, in the order of the help.</summary>
    public IEnumerable<OptionGroup> Groups => _groups.Where(g => g != Output.Group).Append(Output.Group);

    /// <summary>Takes in a group of options.</summary>
    public void Add(IOptions options)
    {
        _groups.Add(options.Group);
        foreach (Option option in options.Group.Options) Options.Add(option);
    }

    /// <summary>Sets what the verb does.</summary>
    public Verb Runs(Func<ParseResult, CancellationToken, Task<int>> run)
    {
        SetAction(run);
        return this;
    }
}

/// <summary>A set of options that verbs share.</summary>
internal interface IOptions
{
    /// <summary>The options, for the parser and the help.</summary>
    OptionGroup Group { get; }
}

/// <summary>Options of one verb only.</summary>
internal sealed class OwnOptions(params Option[] options) : IOptions
{
    /// <inheritdoc/>
    public OptionGroup Group { get; } = new("Options", options);
}

/// <summary>How results are written.</summary>
internal sealed class OutputOptions : IOptions
{
    private readonly Option<bool> _json = Opt.Switch("--json", "Write JSON, and nothing else, to stdout");
    private readonly Option<bool> _verbose = Opt.Switch("--verbose", "Write logs to stderr", "-v");

    /// <inheritdoc/>
    public OptionGroup Group => field ??= new OptionGroup("Output", [_json, _verbose]);

    /// <summary>Whether JSON is wanted.</summary>
    public bool Json(ParseResult parsed) => parsed.GetValue(_json);

    /// <summary>Whether logs are wanted.</summary>
    public bool Verbose(ParseResult parsed) => parsed.GetValue(_verbose);
}
