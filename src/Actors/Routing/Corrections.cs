using System.Collections.Immutable;
using Troupe.Devices.All2All;

namespace Troupe.Actors.Routing;

/// <summary>
/// What measured steps say about the cost model, pure. The logarithm of measured / predicted of a strategy s in a bucket b of shapes is
/// taken to be a sum of four errors: one of the whole machine, one of the bucket, one of the strategy, and one of the strategy in this
/// bucket. The first two are common to all strategies of a bucket, so they never change which is cheapest; the last two do.
/// <para><b>What is identifiable.</b> A step tells one number, the sum of its four errors. Only by comparing strategies in the same bucket
/// can one tell a slow strategy from a slow machine (others computing, experts that are waited for, constants that were measured badly).
/// So the error of a step is split by how much of it is expected where: <see cref="OwnShare"/> of a small one to the strategy, and the less
/// the larger it is, for a formula may be off by half, but hundreds of times too slow is a machine that waits for something else. That
/// makes the sum right for the strategy that ran, whatever the split. Of the others it says little, on purpose: their order among each
/// other, in every bucket, is never changed by it, and against them a strategy that runs alone gains or loses at most a factor of
/// <see cref="MostBlame"/>. Once another runs in the same bucket the split becomes true, because both sums must.</para>
/// <para><b>What is robust.</b> A cell (s, b) keeps the errors of its last <see cref="Window"/> steps and moves by a part of their median,
/// from the <see cref="LeastSteps"/>th on: one step that lost a slice of the scheduler moves nothing. The errors are kept relative to what
/// was predicted at the time, so a machine that has become slower since does not count against a strategy that ran last before.</para>
/// </summary>
public sealed record Corrections
{
    /// <summary>Steps of a cell whose errors are kept.</summary>
    public const int Window = 9;

    /// <summary>Steps of a cell before it moves anything.</summary>
    public const int LeastSteps = 3;

    /// <summary>
    /// The part of a small error that is put down to the strategy. In replays of synthetic worlds less made picks without exploration worse
    /// (0.15: 1.11 times the best choice, 0.3: 1.07, 0.5: 1.05), and more lets a machine that slows down speak against the strategy in use.
    /// </summary>
    public const double OwnShare = 0.4;

    // An error e gives OwnShare / (1 + (e / OwnScale)^2) of it to the strategy: half of OwnShare where it is off by a factor of two.
    private const double OwnScale = 0.7, MachinePart = 0.6, StrategyPart = 0.5;
    private const double Gain = 0.3;
    private const double Largest = 6; // e^6 = 400: beyond, something else than the model is wrong

    private readonly double _machine;
    private readonly ImmutableDictionary<ShapeBucket, double> _buckets = ImmutableDictionary<ShapeBucket, double>.Empty;
    private readonly ImmutableArray<double> _strategies = [.. new double[StrategyTable.Count]];
    private readonly ImmutableDictionary<(Strategy, ShapeBucket), Cell> _cells = ImmutableDictionary<(Strategy, ShapeBucket), Cell>.Empty;

    private Corrections()
    {
    }

    private Corrections(double machine, ImmutableDictionary<ShapeBucket, double> buckets, ImmutableArray<double> strategies,
        ImmutableDictionary<(Strategy, ShapeBucket), Cell> cells) =>
        (_machine, _buckets, _strategies, _cells) = (machine, buckets, strategies, cells);

    /// <summary>
    /// What a strategy that runs alone can lose against the others, however long its steps take: e to the integral of its share over all
    /// errors, 1.55.
    /// </summary>
    public static double MostBlame { get; } = Math.Exp(OwnShare * OwnScale * Math.PI / 2);

    /// <summary>Before any step.</summary>
    public static Corrections None { get; } = new();

    /// <summary>What the model's prediction is multiplied with.</summary>
    public double Factor(Strategy strategy, ShapeBucket bucket) => Math.Exp(Math.Clamp(Sum(strategy, bucket), -Largest, Largest));

    /// <summary>How many steps of a strategy were measured in a bucket; counts to <see cref="Window"/>.</summary>
    public int Steps(Strategy strategy, ShapeBucket bucket) =>
        _cells.TryGetValue((strategy, bucket), out Cell? cell) ? cell.Errors.Length : 0;

    /// <summary>
    /// After a step that the model alone (without these corrections) predicted at one time and that took another, both in microseconds.
    /// Times that are not positive numbers say nothing.
    /// </summary>
    public Corrections Observe(Strategy strategy, ShapeBucket bucket, double modelUs, double measuredUs)
    {
        if (!(modelUs > 0 && measuredUs > 0) || !double.IsFinite(modelUs) || !double.IsFinite(measuredUs)) return this;
        Cell cell = _cells.GetValueOrDefault((strategy, bucket)) ?? new Cell(0, []);
        double error = Math.Clamp(Math.Log(measuredUs / modelUs), -Largest, Largest) - Sum(strategy, bucket);
        ImmutableArray<double> errors = cell.Errors.Length < Window ? cell.Errors.Add(error) : cell.Errors.RemoveAt(0).Add(error);
        if (errors.Length < LeastSteps)
            return new Corrections(_machine, _buckets, _strategies, _cells.SetItem((strategy, bucket), cell with { Errors = errors }));

        double off = Median(errors), move = Gain * off, scaled = off / OwnScale;
        double own = move * OwnShare / (1 + (scaled * scaled)), common = move - own;
        return new Corrections(
            _machine + (common * MachinePart),
            _buckets.SetItem(bucket, _buckets.GetValueOrDefault(bucket) + (common * (1 - MachinePart))),
            _strategies.SetItem((int)strategy, _strategies[(int)strategy] + (own * StrategyPart)),
            _cells.SetItem((strategy, bucket), new Cell(cell.Own + (own * (1 - StrategyPart)), [.. errors.Select(e => e - move)])));
    }

    private double Sum(Strategy strategy, ShapeBucket bucket) => _machine + _buckets.GetValueOrDefault(bucket)
        + _strategies[(int)strategy] + (_cells.GetValueOrDefault((strategy, bucket))?.Own ?? 0);

    private static double Median(ImmutableArray<double> values)
    {
        ImmutableArray<double> sorted = values.Sort();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>A strategy in a bucket: its own error, and by what its last steps were off from what was predicted then.</summary>
    private sealed record Cell(double Own, ImmutableArray<double> Errors);
}
