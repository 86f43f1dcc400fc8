using Troupe.Cli.Output;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;

namespace Troupe.Cli.Measures;

/// <summary>
/// Puts together what the ranks of a world measured: an iteration took as long as its slowest rank, and what is reported are medians over
/// rounds. Used from several threads.
/// </summary>
internal sealed class All2AllTally(All2AllWork work)
{
    private readonly Dictionary<(int Round, int Case, Strategy Strategy), List<All2AllSamples>> _waiting = [];
    private readonly Dictionary<(int Case, Strategy Strategy), List<Measured>> _rounds = [];
    private readonly Lock _gate = new();

    /// <summary>Takes a rank's samples.</summary>
    /// <returns>The round's median total in µs once all ranks have handed theirs over, else null.</returns>
    public double? Add(All2AllSamples samples)
    {
        lock (_gate)
        {
            var key = (samples.Round, samples.Case, samples.Strategy);
            if (!_waiting.TryGetValue(key, out List<All2AllSamples>? ranks)) _waiting.Add(key, ranks = []);
            ranks.Add(samples);
            if (ranks.Count < work.Ranks) return null;
            _waiting.Remove(key);
            if (!_rounds.TryGetValue((samples.Case, samples.Strategy), out List<Measured>? rounds))
                _rounds.Add((samples.Case, samples.Strategy), rounds = []);
            var measured = new Measured(Spread([.. ranks.Select(r => r.Dispatch)]), Spread([.. ranks.Select(r => r.Combine)]),
                Spread([.. ranks.Select(r => r.Total)]), ranks.Average(r => r.BytesToOthers), ranks.Max(r => r.AllocatedBytes),
                samples.Dispatch.Length, samples.Total.Length);
            rounds.Add(measured);
            return measured.Total.P50;
        }
    }

    /// <summary>The figures of every (case, strategy) that was measured, case by case.</summary>
    public IEnumerable<All2AllFigures> Figures()
    {
        foreach ((All2AllCase shape, int index) in work.Cases.Select((c, i) => (c, i)))
        {
            All2AllFigures[] all = [.. shape.Legal(work.Strategies).Select(s => Figures(shape, s, _rounds[(index, s)]))];
            double least = all.Length == 0 ? 0 : all.Min(f => f.TotalUs.P50);
            foreach (All2AllFigures figures in all) yield return figures with { Cheapest = figures.TotalUs.P50 <= least };
        }
    }

    /// <summary>min, p50 and p99 in µs of the slowest rank's times. ranks: [R][iterations] in ns.</summary>
    internal static SpreadUs Spread(int[][] ranks)
    {
        int[] slowest = [.. ranks[0]];
        foreach (int[] rank in ranks)
            for (int i = 0; i < slowest.Length; i++) slowest[i] = Math.Max(slowest[i], rank[i]);
        Array.Sort(slowest);
        int last = (int)Math.Ceiling(0.99 * slowest.Length) - 1;
        return new SpreadUs(slowest[0] / 1e3, slowest[slowest.Length / 2] / 1e3, slowest[last] / 1e3);
    }

    private All2AllFigures Figures(All2AllCase shape, Strategy strategy, List<Measured> rounds) => new(
        Fabrics.NameOf(work.Fabric), work.Ranks, work.Hosts, shape.Tokens, shape.Hidden, shape.Experts, shape.TopK,
        RowTypes.NameOf(shape.Rows), shape.Zipf, Strategies.NameOf(strategy),
        Median(rounds, r => r.Dispatch), Median(rounds, r => r.Combine),
        Median(rounds, r => r.Total), Round(Median(rounds, r => r.Bytes)), Round(rounds.Max(r => r.Allocated)), "ok", false,
        [.. rounds.Select(r => new All2AllRound(r.Dispatch.P50, r.Combine.P50, r.Total.P50, r.Iterations, r.TotalIterations))]);

    private static SpreadUs Median(List<Measured> rounds, Func<Measured, SpreadUs> of) => new(
        Median(rounds, r => of(r).Min), Median(rounds, r => of(r).P50), Median(rounds, r => of(r).P99));

    private static double Median(List<Measured> rounds, Func<Measured, double> of)
    {
        double[] sorted = [.. rounds.Select(of).Order()];
        int middle = sorted.Length / 2;
        return Round(sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2);
    }

    private static double Round(double value) => Math.Round(value, 3);

    private sealed record Measured(SpreadUs Dispatch, SpreadUs Combine, SpreadUs Total, double Bytes, double Allocated, int Iterations,
        int TotalIterations);
}
