using System.CommandLine;
using Troupe.Actors.Configuration;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Options;

/// <summary>
/// Which model runs, on how many ranks, in which numbers and where. Checked as far as that can be done without the model.
/// </summary>
/// <param name="Options">Everything that HOCON can set, the command line's settings over it.</param>
/// <param name="InProcess">Whether the ranks are threads of this process: asked for, or there is but one.</param>
internal sealed record RunSettings(TroupeOptions Options, bool InProcess)
{
    /// <summary>The file that was given, whose settings for Akka.NET hold for every node.</summary>
    public HoconText? File { get; init; }

    /// <summary>Stages, replicas, tensor ranks.</summary>
    public Layout Layout => Options.Layout;
}

/// <summary>Options for <see cref="RunSettings"/>: the same wherever a model runs.</summary>
internal sealed class ModelOptions : IOptions
{
    private const string Auto = "auto";

    private readonly Option<string?> _model = Opt.OptionalText("--model", "DIR",
        "Folder with config.json, *.safetensors and tokenizer.json (default: models/sample)", "-m");
    private readonly Option<int> _stages, _replicas, _tensor, _threads;
    private readonly Option<LayerSplit?> _split = Opt.Split("--split", "Layers of each stage (default: by active parameters; see plan)");
    private readonly Option<string> _fabric = Opt.Text("--fabric", "auto|inprocess|shm|tcp", "How ranks reach each other", Auto);
    private readonly Option<string> _strategy = Opt.Text("--strategy", "auto|NAME",
        "How tokens reach their experts; `troupe devices` lists the names", Auto);
    private readonly Option<string> _overlap = Opt.Choice("--overlap",
        "Large steps in two halves, one travels while the other is computed", "off", ["auto", "on", "off"]);
    private readonly Option<string> _weights =
        Opt.Choice("--weights", "Type that weights are kept in: int8 and int4 carry a scale per 32 values", "as-stored",
            ["as-stored", "bf16", "int8", "int4"]);
    private readonly Option<string> _rows = Opt.Choice("--rows",
        "Type of rows on the fabric: int8 and fp8 carry a scale per 128 values", "fp32",
        [.. Enum.GetValues<RowType>().Select(RowTypes.NameOf)]);
    private readonly Option<string> _kv = Opt.Choice("--kv", "Type of the KV cache", "fp32", ["fp32", "bf16"]);
    private readonly Option<string> _math;
    private readonly Option<bool> _inProcess = Opt.Switch("--in-process", "Ranks are threads of this process, not processes");

    /// <summary>
    /// The group. <paramref name="math"/> is the verb's default of --math, <paramref name="stages"/> and the others of the layout.
    /// </summary>
    public ModelOptions(string math = "fast", int stages = 1, int replicas = 1)
    {
        _stages = Opt.Int("--stages", "Pipeline stages: ranks that hold different layers", 1, Layout.MaxRanks, stages);
        _replicas = Opt.Int("--replicas", "Replicas: ranks with requests of their own, which share the experts of a stage", 1,
            Layout.MaxRanks, replicas);
        _tensor = Opt.Int("--tensor", "Tensor ranks: ranks that split each layer", 1, Layout.MaxRanks, 1);
        _threads = Opt.Int("--threads", "Threads of each rank; 0 shares the cores out", 0, 1024, 0);
        _math = Opt.Choice("--math", "exact: the same bits whatever the batch; fast: faster sums", math, ["exact", "fast"]);
    }

    /// <inheritdoc/>
    public OptionGroup Group => field ??= new OptionGroup("Model and layout",
        [_model, _stages, _replicas, _tensor, _split, _fabric, _strategy, _overlap, _threads, _weights, _rows, _kv, _math, _inProcess]);

    /// <summary>--in-process itself, for verbs that cannot have it.</summary>
    public Option<bool> AsksInProcess => _inProcess;

    /// <summary>The first option of the layout that was written out, or null.</summary>
    public string? LayoutGiven(ParseResult parsed) => ((Option[])[_stages, _replicas, _tensor, _split])
        .FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false })?.Name;

    /// <summary>The settings that were given; warnings go to <paramref name="warn"/>.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="warn">Takes one line.</param>
    /// <param name="file">A configuration file: then only options that were written out are put over it.</param>
    /// <exception cref="UsageException">They contradict each other, or ask for what no build has.</exception>
    public RunSettings Read(ParseResult parsed, Action<string> warn, HoconText? file = null)
    {
        var layout = new Layout(parsed.GetValue(_stages), parsed.GetValue(_replicas), parsed.GetValue(_tensor));
        if (layout.Problem() is { } problem) throw new UsageException($"{problem}: use fewer --stages, --replicas or --tensor");
        var command = HoconText.Of("the command line", Settings(parsed, all: file is null));
        TroupeOptions options = TroupeOptions.Read(file is null ? new ConfigLayers(command) : new ConfigLayers(command, file));
        bool inProcess = InProcess(parsed.GetValue(_fabric)!, options.Fabric.Kind, parsed.GetValue(_inProcess));
        bool shared = file is null && parsed.GetValue(_threads) == 0;
        options = options with
        {
            Threads = shared ? Math.Max(1, Environment.ProcessorCount / options.Layout.Ranks) : options.Threads,
            Routing = options.Routing with { Strategy = Strategy(options.Routing.Strategy, warn) },
        };
        return new RunSettings(options, inProcess || options.Layout.Ranks == 1) { File = file };
    }

    private IEnumerable<KeyValuePair<string, string>> Settings(ParseResult parsed, bool all)
    {
        string fabric = parsed.GetValue(_fabric)!;
        if (fabric != Auto) CheckFabric(fabric);
        (string Key, Option Option, string Value)[] settings =
        [
            ("model", _model, parsed.GetValue(_model) ?? (all ? SampleModel.Find() : "")),
            ("layout.stages", _stages, $"{parsed.GetValue(_stages)}"),
            ("layout.replicas", _replicas, $"{parsed.GetValue(_replicas)}"),
            ("layout.tensor", _tensor, $"{parsed.GetValue(_tensor)}"),
            ("layout.split", _split, parsed.GetValue(_split)?.ToText() ?? Auto),
            ("threads", _threads, $"{Math.Max(1, parsed.GetValue(_threads))}"),
            ("weights", _weights, parsed.GetValue(_weights)!),
            ("numbers.rows", _rows, parsed.GetValue(_rows)!),
            ("numbers.kv", _kv, parsed.GetValue(_kv)!),
            ("numbers.math", _math, parsed.GetValue(_math)!),
            ("fabric.kind", _fabric, fabric),
            ("routing.strategy", _strategy, parsed.GetValue(_strategy)!),
            ("routing.overlap", _overlap, parsed.GetValue(_overlap)!),
        ];
        return settings.Where(s => all || parsed.GetResult(s.Option) is { Implicit: false })
            .Select(s => new KeyValuePair<string, string>($"troupe.{s.Key}", s.Value));
    }

    private static void CheckFabric(string name)
    {
        try
        {
            Fabrics.Parse(name, FabricKind.InProcess);
        }
        catch (ArgumentException)
        {
            throw new UsageException($"--fabric: unknown fabric '{name}'; known are {Fabrics.Names}");
        }
    }

    /// <summary>Threads share memory, so fabric inprocess asks for threads, and the other fabrics for processes.</summary>
    private static bool InProcess(string name, FabricKind? kind, bool asked)
    {
        if (asked && kind is not (null or FabricKind.InProcess))
            throw new UsageException(
                $"--in-process and fabric {name} contradict each other: threads reach each other through --fabric inprocess; "
                + "leave --in-process out for processes");
        return asked || kind == FabricKind.InProcess;
    }

    private static string Strategy(string name, Action<string> warn)
    {
        if (name == Auto) return Auto;
        Resolution resolution = Strategies.Resolve(name);
        if (resolution.Warning is { } warning) warn(warning);
        return Strategies.NameOf(resolution.Use);
    }
}
