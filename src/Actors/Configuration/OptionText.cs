using System.Globalization;
using System.Text.RegularExpressions;
using System.Text;
using Troupe.Actors.Pipeline;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Configuration;

/// <summary>
/// Between HOCON and <see cref="TroupeOptions"/>, both ways side by side: each key of hocon/reference.conf is read once and written once
/// here.
/// </summary>
internal static class OptionText
{
    private const string Auto = "auto";
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly Regex s_systemName = new("^[a-zA-Z0-9][a-zA-Z0-9-]*$");

    private static readonly (string Word, WeightStorage Value)[] s_weights =
        [("as-stored", WeightStorage.AsStored), ("bf16", WeightStorage.Bf16), ("int8", WeightStorage.Int8), ("int4", WeightStorage.Int4)];

    private static readonly (string Word, MathMode Value)[] s_math = [("exact", MathMode.Exact), ("fast", MathMode.Fast)];
    private static readonly (string Word, RowType Value)[] s_rows =
        [.. Enum.GetValues<RowType>().Select(type => (RowTypes.NameOf(type), type))];

    private static readonly (string Word, NumberType Value)[] s_numbers = [("fp32", NumberType.Fp32), ("bf16", NumberType.Bf16)];

    private static readonly (string Word, FabricKind? Value)[] s_fabrics =
        [("auto", null), ("inprocess", FabricKind.InProcess), ("shm", FabricKind.SharedMemory), ("tcp", FabricKind.Tcp),
            ("mixed", FabricKind.Mixed)];

    private static readonly (string Word, TransferMode Value)[] s_transfers =
        [("eager", TransferMode.Eager), ("rendezvous", TransferMode.Rendezvous)];

    private static readonly (string Word, OverlapMode Value)[] s_overlaps =
        [("auto", OverlapMode.Auto), ("on", OverlapMode.On), ("off", OverlapMode.Off)];
    private static readonly (string Word, TraceOf Value)[] s_traces = [("all", TraceOf.All), ("experts", TraceOf.Experts)];

    private static readonly (string Word, DrillFault Value)[] s_drills =
    [
        ("none", DrillFault.None), ("die", DrillFault.Die), ("hang", DrillFault.Hang), ("slow", DrillFault.Slow),
        ("drop-put", DrillFault.DropPut), ("corrupt-put", DrillFault.CorruptPut),
    ];

    public static TroupeOptions Read(ConfigLayers layers)
    {
        var read = new OptionReader(layers);
        string name = read.Text("troupe.cluster-name");
        // Akka.NET's rule for the name of an actor system.
        if (!s_systemName.IsMatch(name))
            throw read.Refuse("troupe.cluster-name", "letters, digits and '-', starting with a letter or digit");
        Layout layout = ReadLayout(read);
        return new TroupeOptions(
            name,
            read.Text("troupe.model"),
            layout,
            read.IntOr("any", "troupe.rank", 0, layout.Ranks - 1),
            read.Int("troupe.threads", 1, 1024),
            read.Choice("troupe.weights", s_weights),
            new NumberOptions(
                read.Choice("troupe.numbers.math", s_math),
                read.Choice("troupe.numbers.rows", s_rows),
                read.Choice("troupe.numbers.kv", s_numbers)),
            new FabricSettings(
                read.Choice("troupe.fabric.kind", s_fabrics),
                read.Text("troupe.fabric.listen-host"),
                read.Duration("troupe.fabric.wait-deadline", Tick, Hour),
                read.Duration("troupe.fabric.setup-deadline", Tick, Hour),
                read.Text("troupe.fabric.host", mayBeEmpty: true),
                read.Choice("troupe.fabric.hops", s_transfers)),
            new RoutingOptions(
                read.Text("troupe.routing.strategy"),
                read.Int("troupe.routing.history", 1, 1 << 20),
                read.Int("troupe.routing.lease-steps", 0, 1 << 20),
                read.Int("troupe.routing.shadow-every", 0, 1 << 20),
                read.Fraction("troupe.routing.explore", RoutingOptions.MostExplored),
                read.Choice("troupe.routing.overlap", s_overlaps)),
            ReadScheduler(read),
            ReadLimits(read),
            new ControlOptions(
                read.Text("troupe.control.lifeline-host", mayBeEmpty: true),
                read.Int("troupe.control.lifeline-port", 0, 65535),
                read.Duration("troupe.control.join-deadline", Tick, 24 * Hour),
                read.Duration("troupe.control.drain-deadline", Tick, 24 * Hour),
                read.Duration("troupe.control.abort-report", Tick, Hour)),
            new DrillOptions(
                read.Choice("troupe.drill.fault", s_drills),
                read.Int("troupe.drill.rank", 0, layout.Ranks - 1),
                read.Int("troupe.drill.step", 1, int.MaxValue),
                read.IntOr("any", "troupe.drill.layer", 0, ushort.MaxValue),
                read.Duration("troupe.drill.slow-by", Tick, Hour)),
            new TraceOptions(read.Int("troupe.trace.steps", 0, TraceOptions.MostSteps), read.Choice("troupe.trace.of", s_traces)))
        {
            Split = ReadSplit(read),
        };
    }

    public static string Write(TroupeOptions options)
    {
        var text = new StringBuilder("troupe {\n");
        foreach ((string key, string value) in Values(options))
            text.Append("  ").Append(key).Append(" = ").Append(HoconText.Quote(value)).Append('\n');
        return text.Append("}\n").ToString();
    }

    private static IEnumerable<(string Key, string Value)> Values(TroupeOptions o) =>
    [
        ("cluster-name", o.ClusterName),
        ("model", o.Model),
        ("layout.stages", $"{o.Layout.Stages}"),
        ("layout.replicas", $"{o.Layout.Replicas}"),
        ("layout.tensor", $"{o.Layout.Tensor}"),
        ("layout.split", o.Split?.ToText() ?? Auto),
        ("rank", o.Rank is { } rank ? $"{rank}" : "any"),
        ("threads", $"{o.Threads}"),
        ("weights", Word(o.Weights, s_weights)),
        ("numbers.math", Word(o.Numbers.Math, s_math)),
        ("numbers.rows", Word(o.Numbers.Rows, s_rows)),
        ("numbers.kv", Word(o.Numbers.Kv, s_numbers)),
        ("fabric.kind", Word(o.Fabric.Kind, s_fabrics)),
        ("fabric.listen-host", o.Fabric.ListenHost),
        ("fabric.wait-deadline", Time(o.Fabric.WaitDeadline)),
        ("fabric.setup-deadline", Time(o.Fabric.SetupDeadline)),
        ("fabric.host", o.Fabric.Host),
        ("fabric.hops", Word(o.Fabric.Hops, s_transfers)),
        ("routing.strategy", o.Routing.Strategy),
        ("routing.history", $"{o.Routing.History}"),
        ("routing.lease-steps", $"{o.Routing.LeaseSteps}"),
        ("routing.shadow-every", $"{o.Routing.ShadowEvery}"),
        ("routing.explore", o.Routing.Explore.ToString("R", CultureInfo.InvariantCulture)),
        ("routing.overlap", Word(o.Routing.Overlap, s_overlaps)),
        ("scheduler.max-queue", $"{o.Scheduler.MaxQueue}"),
        ("scheduler.max-running", $"{o.Scheduler.MaxRunning}"),
        ("scheduler.prefill-chunk", $"{o.Scheduler.PrefillChunk}"),
        ("scheduler.request-timeout", Time(o.Scheduler.RequestTimeout)),
        ("scheduler.kv-tokens", o.Scheduler.KvTokens is { } tokens ? $"{tokens}" : "auto"),
        ("scheduler.block-size", $"{o.Scheduler.BlockSize}"),
        ("limits.prompt-bytes", $"{o.Limits.PromptBytes}"),
        ("limits.max-tokens", $"{o.Limits.MaxTokens}"),
        ("limits.stop-strings", $"{o.Limits.StopStrings}"),
        ("limits.stop-bytes", $"{o.Limits.StopBytes}"),
        ("control.lifeline-host", o.Control.LifelineHost),
        ("control.lifeline-port", $"{o.Control.LifelinePort}"),
        ("control.join-deadline", Time(o.Control.JoinDeadline)),
        ("control.drain-deadline", Time(o.Control.DrainDeadline)),
        ("control.abort-report", Time(o.Control.AbortReport)),
        ("drill.fault", Word(o.Drill.Fault, s_drills)),
        ("drill.rank", $"{o.Drill.Rank}"),
        ("drill.step", $"{o.Drill.Step}"),
        ("drill.layer", o.Drill.Layer is { } layer ? $"{layer}" : "any"),
        ("drill.slow-by", Time(o.Drill.SlowBy)),
        ("trace.steps", $"{o.Trace.Steps}"),
        ("trace.of", Word(o.Trace.Of, s_traces)),
    ];

    private static Layout ReadLayout(OptionReader read)
    {
        var layout = new Layout(
            read.Int("troupe.layout.stages", 1, Layout.MaxRanks),
            read.Int("troupe.layout.replicas", 1, Layout.MaxRanks),
            read.Int("troupe.layout.tensor", 1, Layout.MaxRanks));
        return layout.Problem() is { } problem ? throw read.Refuse("troupe.layout.stages", $"a smaller world: {problem}") : layout;
    }

    private static LayerSplit? ReadSplit(OptionReader read)
    {
        const string key = "troupe.layout.split", wanted = $"{Auto} or the layers of each stage as \"10,14\"";
        if (read.TextOrNull(key) is not { } text) throw read.Refuse(key, wanted);
        if (text == Auto) return null;
        (LayerSplit? split, string? problem) = LayerSplit.Parse(text);
        return split ?? throw read.Refuse(key, $"{wanted}, but this {problem}");
    }

    private static SchedulerOptions ReadScheduler(OptionReader read) => new(
        read.Int("troupe.scheduler.max-queue", 1, 1 << 20),
        read.Int("troupe.scheduler.max-running", 1, 1 << 16),
        read.Int("troupe.scheduler.prefill-chunk", 1, 1 << 16),
        read.Duration("troupe.scheduler.request-timeout", Tick, 24 * Hour),
        read.IntOr("auto", "troupe.scheduler.kv-tokens", 1, int.MaxValue),
        read.Int("troupe.scheduler.block-size", 1, 4096));

    private static LimitOptions ReadLimits(OptionReader read)
    {
        const int Envelope = 16_000;
        long frame = read.Bytes("akka.remote.dot-netty.tcp.maximum-frame-size");
        int prompt = read.Int("troupe.limits.prompt-bytes", 1, 1 << 28);
        if (prompt > frame - Envelope)
        {
            throw read.Refuse("troupe.limits.prompt-bytes",
                $"at most {frame - Envelope}, or akka.remote.dot-netty.tcp.maximum-frame-size of at least {prompt + Envelope}b");
        }
        return new LimitOptions(
            prompt,
            read.Int("troupe.limits.max-tokens", 1, 1 << 24),
            read.Int("troupe.limits.stop-strings", 0, 1024),
            read.Int("troupe.limits.stop-bytes", 1, 1 << 16));
    }

    public static string WordOf(WeightStorage weights) => Word(weights, s_weights);

    private static string Word<T>(T value, IEnumerable<(string Word, T Value)> words) =>
        words.First(w => EqualityComparer<T>.Default.Equals(w.Value, value)).Word;

    private static string Time(TimeSpan time) => $"{time.Ticks * 100} ns";
}
