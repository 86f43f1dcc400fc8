using System.Collections.Immutable;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;

namespace Troupe.Actors.Tests.Routing;

/// <summary>
/// A machine that exists on paper only, with costs that the router does not know: links that calibration saw inexactly, strategies that are
/// built better or worse than their formulas say, caches that end, time that every strategy waits, noise, and stalls of the scheduler.
/// </summary>
internal sealed class SyntheticWorld
{
    private const double StallUs = 3000, StallShare = 0.02, NoiseSpread = 0.1, WobbleSpread = 0.08, CacheBytes = 1 << 20;

    private readonly Random _random;
    private readonly CostModel _truth;
    private readonly bool _zipf;
    private readonly Dictionary<Strategy, double> _efficiency;
    private readonly Dictionary<(Strategy, StepShape), double> _costs = [];

    public SyntheticWorld(Random random, bool zipf, double calibrationSpread = 0.1, double efficiencySpread = 0.25)
    {
        (_random, _zipf) = (random, zipf);
        LinkTable guess = LinkTable.Guess;
        var links = new LinkTable(Blur(guess.Self, 0.4), Blur(guess.Mapped, 0.4), Blur(guess.Tcp, 0.4));
        _truth = new CostModel(links, Cores: 2);
        _efficiency = Enum.GetValues<Strategy>().ToDictionary(s => s, _ => Spread(efficiencySpread));
        Calibrated = CostModel.From([.. Enumerable.Range(0, 4).Select(_ => new LinkCalibration(
            Blur(links.Self, calibrationSpread), Blur(links.Mapped, calibrationSpread), Blur(links.Tcp, calibrationSpread)))], cores: 2);
    }

    /// <summary>What the ranks' calibrations say.</summary>
    public CostModel Calibrated { get; }

    /// <summary>Microseconds without noise.</summary>
    public double Cost(Strategy strategy, StepShape shape)
    {
        if (_costs.TryGetValue((strategy, shape), out double known)) return known;
        double cost = _truth.Predict(strategy, shape) * _efficiency[strategy] * Spread(WobbleSpread);
        if (shape.MaxRows * shape.RowBytes > CacheBytes) cost *= 1.7;
        // Where few experts take most tokens, the rank that holds them is the slowest; who sends every row anywhere notices less.
        if (_zipf) cost *= strategy == Strategy.AllGatherReduceScatter ? 1.05 : 1 + (0.3 * _random.NextDouble());
        double waiting = 0.2 * _truth.Predict(Strategy.AllGatherReduceScatter, shape);
        return _costs[(strategy, shape)] = cost + waiting;
    }

    /// <summary>What a step measures.</summary>
    public double Measure(Strategy strategy, StepShape shape) =>
        (Cost(strategy, shape) * Spread(NoiseSpread)) + (_random.NextDouble() < StallShare ? StallUs : 0);

    /// <summary>A factor whose logarithm is normal (Box and Muller).</summary>
    private double Spread(double deviation) => Math.Exp(
        deviation * Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble()));

    private LinkConstants Blur(LinkConstants c, double deviation) => new(c.MessageUs * Spread(deviation), c.ByteUs * Spread(deviation),
        c.FlagUs * Spread(deviation), c.RowUs * Spread(deviation), c.RowByteUs * Spread(deviation));
}

/// <summary>The steps of one cluster in a world, and what came of them.</summary>
internal sealed class Replay(SyntheticWorld world, Selector selector, ImmutableArray<StepShape> shapes, Random order)
{
    private long _step;

    public Selector Selector { get; private set; } = selector;

    /// <summary>Runs steps of all shapes in random order; hands back each step's shape, choice and noiseless cost.</summary>
    public IReadOnlyList<(StepShape Shape, Choice Choice, double CostUs)> Run(int steps)
    {
        var ran = new List<(StepShape, Choice, double)>(steps);
        for (int i = 0; i < steps; i++)
        {
            StepShape shape = shapes[order.Next(shapes.Length)];
            StepKind kind = shape.MaxRows >= 128 ? StepKind.Prefill : StepKind.Decode;
            (Selector, Choice choice) = Selector.Choose(new Troupe.Devices.Topology.StepId(++_step), kind, shape);
            ran.Add((shape, choice, world.Cost(choice.Use, shape)));
            Selector = Selector.Observe(choice, world.Measure(choice.Use, shape));
        }
        return ran;
    }
}
