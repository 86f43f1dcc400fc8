using System.CommandLine;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Options;

/// <summary>Which model runs, on how many ranks, and in which numbers. Checked as far as that can be done without the model.</summary>
/// <param name="Model">The model's folder.</param>
/// <param name="Threads">Threads of each rank; 0 shares the cores out evenly.</param>
/// <param name="Strategy">auto, or the name of a strategy that this build has.</param>
internal sealed record RunSettings(
    string Model, Layout Layout, string Fabric, string Strategy, int Threads, string Weights, string Rows, string Kv, string Math, bool InProcess)
{
    /// <summary>Whether all ranks are threads of this process: asked for, or there is but one.</summary>
    public bool RunsHere => InProcess || Layout.Ranks == 1;
}

/// <summary>Options for <see cref="RunSettings"/>: the same wherever a model runs.</summary>
internal sealed class ModelOptions : IOptions
{
    private const string Auto = "auto";

    private readonly Option<string?> _model = Opt.OptionalText("--model", "DIR",
        "Folder with config.json, *.safetensors and tokenizer.json (default: models/sample)", "-m");
    private readonly Option<int> _stages, _replicas, _tensor, _threads;
    private readonly Option<string> _fabric = Opt.Text("--fabric", "auto|inprocess|shm|tcp", "How ranks reach each other", Auto);
    private readonly Option<string> _strategy = Opt.Text("--strategy", "auto|NAME",
        "How tokens reach their experts; `troupe devices` lists the names", Auto);
    private readonly Option<string> _weights = Opt.Choice("--weights", "Type that weights are kept in", "as-stored", ["as-stored"], "bf16", "int8", "int4");
    private readonly Option<string> _rows = Opt.Choice("--rows", "Type of rows on the fabric", "fp32", ["fp32", "bf16"], "int8", "fp8");
    private readonly Option<string> _kv = Opt.Choice("--kv", "Type of the KV cache", "fp32", ["fp32"], "bf16");
    private readonly Option<string> _math;
    private readonly Option<bool> _inProcess = Opt.Switch("--in-process", "Ranks are threads of this process, not processes");

    /// <summary>The group. <paramref name="math"/> is the verb's default of --math, <paramref name="stages"/> and the others of the layout.</summary>
    public ModelOptions(string math = "fast", int stages = 1, int replicas = 1)
    {
        _stages = Opt.Int("--stages", "Pipeline stages: ranks that hold different layers", 1, Layout.MaxRanks, stages);
        _replicas = Opt.Int("--replicas", "Replicas: ranks with requests of their own, which share the experts of a stage", 1, Layout.MaxRanks, replicas);
        _tensor = Opt.Int("--tensor", "Tensor ranks: ranks that split each layer", 1, Layout.MaxRanks, 1);
        _threads = Opt.Int("--threads", "Threads of each rank; 0 shares the cores out", 0, 1024, 0);
        _math = Opt.Choice("--math", "exact: the same bits whatever the batch; fast: faster sums", math, ["exact", "fast"]);
    }

    /// <inheritdoc/>
    public OptionGroup Group => field ??= new OptionGroup("Model and layout",
        [_model, _stages, _replicas, _tensor, _fabric, _strategy, _threads, _weights, _rows, _kv, _math, _inProcess]);

    /// <summary>The settings that were given; warnings go to <paramref name="warn"/>.</summary>
    /// <exception cref="UsageException">They contradict each other, or ask for what no build has.</exception>
    public RunSettings Read(ParseResult parsed, Action<string> warn)
    {
        var layout = new Layout(parsed.GetValue(_stages), parsed.GetValue(_replicas), parsed.GetValue(_tensor));
        if (layout.Problem() is { } problem) throw new UsageException($"{problem}: use fewer --stages, --replicas or --tensor");
        (string fabric, bool inProcess) = Fabric(parsed.GetValue(_fabric)!, parsed.GetValue(_inProcess));
        return new RunSettings(parsed.GetValue(_model) ?? SampleModel.Find(), layout, fabric, Strategy(parsed.GetValue(_strategy)!, warn),
            parsed.GetValue(_threads), parsed.GetValue(_weights)!, parsed.GetValue(_rows)!, parsed.GetValue(_kv)!, parsed.GetValue(_math)!, inProcess);
    }

    /// <summary>Threads share memory, so --fabric inprocess asks for threads, and the other fabrics for processes.</summary>
    private static (string Fabric, bool InProcess) Fabric(string name, bool inProcess)
    {
        FabricKind kind;
        try
        {
            kind = Fabrics.Parse(name, inProcess ? FabricKind.InProcess : FabricKind.SharedMemory);
        }
        catch (ArgumentException)
        {
            throw new UsageException($"--fabric: unknown fabric '{name}'; known are {Fabrics.Names}");
        }
        if (inProcess && kind != FabricKind.InProcess)
            throw new UsageException($"--in-process and --fabric {name} contradict each other: threads reach each other through --fabric inprocess; "
                + "leave --in-process out for processes");
        return (name, inProcess || kind == FabricKind.InProcess);
    }

    private static string Strategy(string name, Action<string> warn)
    {
        if (name == Auto) return Auto;
        Resolution resolution = Strategies.Resolve(name);
        if (resolution.Warning is { } warning) warn(warning);
        return Strategies.NameOf(resolution.Use);
    }
}
