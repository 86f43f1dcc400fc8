using System.Collections.Immutable;
using Troupe.Devices.All2All;

namespace Troupe.Actors.Routing;

/// <summary>What each class of link costs.</summary>
public sealed record LinkTable(LinkConstants Self, LinkConstants Mapped, LinkConstants Tcp)
{
    /// <summary>
    /// Orders of magnitude of two processes on one machine, for a class that nobody measured: over shared memory a flag in a fraction of a
    /// microsecond and 10 GB/s, over loopback 10 µs a message and 4 GB/s.
    /// </summary>
    public static LinkTable Guess { get; } = new(
        new LinkConstants(0.05, 0.00004, 0.02, 0.02, 0.00004),
        new LinkConstants(0.5, 0.0001, 0.25, 0.02, 0.00012),
        new LinkConstants(10, 0.00025, 8, 0.02, 0.0001));

    /// <summary>
    /// The table of a group from what its ranks measured: the median of each constant over the ranks that met the class, so that one rank
    /// that was disturbed changes nothing; the guess where none did.
    /// </summary>
    public static LinkTable From(IReadOnlyCollection<LinkCalibration> measured) => new(
        Middle(measured.Select(m => m.Self)) ?? Guess.Self,
        Middle(measured.Select(m => m.Mapped)) ?? Guess.Mapped,
        Middle(measured.Select(m => m.Tcp)) ?? Guess.Tcp);

    /// <summary>The classes that some rank met, in one line; null where none did.</summary>
    public static string? Describe(IReadOnlyCollection<LinkCalibration> measured)
    {
        var links = new LinkCalibration(null, Middle(measured.Select(m => m.Mapped)), Middle(measured.Select(m => m.Tcp)));
        return links is { Mapped: null, Tcp: null } ? null : links.ToString();
    }

    private static LinkConstants? Middle(IEnumerable<LinkConstants?> ranks)
    {
        LinkConstants[] known = [.. ranks.OfType<LinkConstants>().Where(Usable)];
        return known.Length == 0 ? null : new LinkConstants(
            Median(known, c => c.MessageUs), Median(known, c => c.ByteUs), Median(known, c => c.FlagUs), Median(known, c => c.RowUs),
            Median(known, c => c.RowByteUs));
    }

    /// <summary>What came over a wire may be anything.</summary>
    private static bool Usable(LinkConstants c) =>
        ((double[])[c.MessageUs, c.ByteUs, c.FlagUs, c.RowUs, c.RowByteUs]).All(v => double.IsFinite(v) && v > 0);

    private static double Median(LinkConstants[] ranks, Func<LinkConstants, double> constant)
    {
        double[] sorted = [.. ranks.Select(constant).Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}

/// <summary>
/// Predicts microseconds of dispatch and combine, pure: what <see cref="StrategyWork"/> counts, at what <see cref="LinkTable"/> says it
/// costs. Dispatch ends on a rank once every other has sent, and so does combine: each phase takes as long as its slowest member. Only
/// <see cref="Strategy.Fused"/> has no such barrier between the two. Where more members than cores share a host, at most
/// <paramref name="Cores"/> of them compute at once: then a phase takes at least the sum of their times through the cores.
/// <para>What it leaves out (caches, waiting for a peer's experts, how well a strategy is built) is the affair of
/// <see cref="Corrections"/>.</para>
/// </summary>
/// <param name="Links">What links cost.</param>
/// <param name="Cores">Cores of a host, for its members together.</param>
public sealed record CostModel(LinkTable Links, int Cores = int.MaxValue)
{
    /// <summary>The classes of link that were measured, for people; null where none was, and all is guessed.</summary>
    public string? Measured { get; init; }

    /// <summary>A model before anybody measured.</summary>
    public static CostModel Guess { get; } = new(LinkTable.Guess);

    /// <summary>The model of a group whose ranks measured their links.</summary>
    public static CostModel From(IReadOnlyCollection<LinkCalibration> measured, int cores) =>
        new(LinkTable.From(measured), Math.Max(1, cores)) { Measured = LinkTable.Describe(measured) };

    /// <summary>What a strategy makes a member do in one layer.</summary>
    public static MemberWork WorkOf(Strategy strategy, StepShape shape, int member) =>
        new StrategyWork(shape, member, new HostTable(shape)).Of(strategy);

    /// <summary>Predicted microseconds of all dispatches and combines of a step with this strategy. Zero for a group of one.</summary>
    public double Predict(Strategy strategy, StepShape shape) => Predict(strategy, shape, new HostTable(shape));

    /// <summary>As <see cref="Predict(Strategy, StepShape)"/>, for all strategies.</summary>
    public Forecast PredictAll(StepShape shape)
    {
        var hosts = new HostTable(shape);
        return new Forecast(this, shape, [.. StrategyTable.All.Select(strategy => Predict(strategy, shape, hosts))]);
    }

    private double Predict(Strategy strategy, StepShape shape, HostTable hosts)
    {
        if (shape.Ranks < 2) return 0;
        var dispatch = new PhaseTime(hosts.Count);
        var combine = strategy == Strategy.Fused ? dispatch : new PhaseTime(hosts.Count);
        for (int member = 0; member < shape.Ranks; member++)
        {
            MemberWork work = new StrategyWork(shape, member, hosts).Of(strategy);
            int host = hosts.IndexOf(shape.HostAt(member));
            double out_ = Cost(work.Dispatch), back = Cost(work.Combine);
            if (strategy == Strategy.Fused)
            {
                dispatch.Add(host, out_ + back);
                continue;
            }
            dispatch.Add(host, out_);
            combine.Add(host, back);
        }
        double layer = strategy == Strategy.Fused ? dispatch.Length(Cores) : dispatch.Length(Cores) + combine.Length(Cores);
        return shape.MoeLayers * layer;
    }

    private double Cost(PhaseWork work) => Cost(work.Self, Links.Self) + Cost(work.Mapped, Links.Mapped) + Cost(work.Tcp, Links.Tcp);

    private static double Cost(LinkWork work, LinkConstants link) => (work.Messages * link.MessageUs) + (work.Flags * link.FlagUs)
        + (work.Bytes * link.ByteUs) + (work.Rows * link.RowUs) + (work.RowBytes * link.RowByteUs);

    /// <summary>How long a phase takes: its slowest member, or all members of a host through its cores.</summary>
    private sealed class PhaseTime(int hosts)
    {
        private readonly double[] _sums = new double[hosts];
        private double _slowest;

        public void Add(int host, double us)
        {
            _slowest = Math.Max(_slowest, us);
            _sums[host] += us;
        }

        public double Length(int cores) => Math.Max(_slowest, _sums.Max() / cores);
    }
}

/// <summary>
/// What a model says about steps of one shape. Steady steps have the same shape one after the other, and to predict them anew is most of
/// what a choice costs: so it is kept from step to step.
/// </summary>
/// <param name="Model">Whose predictions these are.</param>
/// <param name="Shape">Of which steps.</param>
/// <param name="Us">Microseconds of all dispatches and combines, in the order of the strategies' numbers.</param>
public sealed record Forecast(CostModel Model, StepShape Shape, ImmutableArray<double> Us)
{
    /// <summary>What is predicted for a strategy.</summary>
    public double Of(Strategy strategy) => Us[(int)strategy - 1];

    /// <summary>Whether it holds for these rows by member too, all other sizes being the same.</summary>
    public bool Holds(CostModel model, StepShape shape) =>
        ReferenceEquals(model, Model) && shape.RowsOf.AsSpan().SequenceEqual(Shape.RowsOf.AsSpan());
}

/// <summary>The strategies by number.</summary>
internal static class StrategyTable
{
    /// <summary>All of them, in the order of their numbers, the fallback first.</summary>
    public static IReadOnlyList<Strategy> All { get; } = Enum.GetValues<Strategy>();

    /// <summary>The length of a table by number: they start at 1.</summary>
    public static int Count { get; } = (int)All[^1] + 1;

    /// <summary>What users call them, by number.</summary>
    private static readonly string[] s_names =
        [.. Enumerable.Range(0, Count).Select(i => i == 0 ? "" : Strategies.NameOf((Strategy)i))];

    /// <summary>What users call a strategy; without a search, for every step.</summary>
    public static string Name(Strategy strategy) => s_names[(int)strategy];
}
