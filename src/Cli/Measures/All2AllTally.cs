using Troupe.Cli.Output;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;

namespace Troupe.Cli.Measures;

/// <summary>Takes what the ranks of a world measured, from any thread.</summary>
internal interface IAll2AllTally
{
    /// <summary>Takes a rank's samples.</summary>
    void Add(All2AllSamples samples);

    /// <summary>Takes a turn of the router.</summary>
    void Add(All2AllTurn turn);
}

/// <summary>
/// Puts together what the ranks of a world measured: an iteration took as long as its slowest rank, and what is reported are medians over
/// rounds. The router's pick is that of its last turn. Used from several threads.
/// </summary>
/// <param name="work">What is measured.</param>
/// <param name="done">Hears of each measurement once it is complete: what, at which case, in which round, and its median total in µs.
/// </param>
internal sealed class All2AllTally(All2AllWork work, Action<string, int, int, double> done) : IAll2AllTally
{
    private readonly Dictionary<(int Round, int Case, Strategy Strategy), List<All2AllSamples>> _waiting = [];
    private readonly Dictionary<(int Case, Strategy Strategy), List<Measured>> _rounds = [];
    private readonly Dictionary<int, List<All2AllTurn>> _turns = [];
    private readonly Lock _gate = new();

    /// <inheritdoc/>
    public void Add(All2AllSamples samples)
    {
        lock (_gate)
        {
            var key = (samples.Round, samples.Case, samples.Strategy);
            if (!_waiting.TryGetValue(key, out List<All2AllSamples>? ranks)) _waiting.Add(key, ranks = []);
            ranks.Add(samples);
            if (ranks.Count < work.Ranks) return;
            _waiting.Remove(key);
            if (!_rounds.TryGetValue((samples.Case, samples.Strategy), out List<Measured>? rounds))
                _rounds.Add((samples.Case, samples.Strategy), rounds = []);
            var measured = new Measured(Spread([.. ranks.Select(r => r.Dispatch)]), Spread([.. ranks.Select(r => r.Combine)]),
                Spread([.. ranks.Select(r => r.Total)]), ranks.Average(r => r.BytesToOthers), ranks.Max(r => r.AllocatedBytes),
                samples.Dispatch.Length, samples.Total.Length);
            rounds.Add(measured);
            done(Strategies.NameOf(samples.Strategy), samples.Case, samples.Round, measured.Total.P50);
        }
    }

    /// <inheritdoc/>
    public void Add(All2AllTurn turn)
    {
        lock (_gate)
        {
            if (!_turns.TryGetValue(turn.Case, out List<All2AllTurn>? rounds)) _turns.Add(turn.Case, rounds = []);
            rounds.Add(turn);
            done("auto", turn.Case, turn.Round, Spread([turn.Total]).P50);
        }
    }

    /// <summary>The figures of every (case, strategy) that was measured, case by case.</summary>
    public IEnumerable<All2AllFigures> Figures()
    {
        foreach ((All2AllCase shape, int index) in work.Cases.Select((c, i) => (c, i)))
        {
            Strategy[] legal = [.. shape.Legal(work.Strategies)];
            if (legal.Length == 0) continue;
            All2AllFigures[] all = [.. legal.Select(s => Figures(shape, s, _rounds[(index, s)], _turns[index]))];
            double least = all.Min(f => f.TotalUs.P50);
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

    private All2AllFigures Figures(All2AllCase shape, Strategy strategy, List<Measured> rounds, List<All2AllTurn> turns) => new(
        Strategies.NameOf(strategy), Fabrics.NameOf(work.Fabric), work.Ranks, work.Hosts, shape.Tokens, shape.OneSided, shape.Hidden,
        shape.Experts, shape.TopK, shape.Routing, RowTypes.NameOf(shape.Rows), Median(rounds, r => r.Dispatch),
        Median(rounds, r => r.Combine), Median(rounds, r => r.Total), Round(Median(rounds, r => r.Bytes)),
        Round(rounds.Max(r => r.Allocated)), rounds.Sum(r => r.TotalIterations), Checked: true, Cheapest: false,
        AutoPick: turns[^1].Pick == strategy, Round(turns[^1].PredictedUs[strategy]),
        turns[^1].Pick == strategy ? Median(turns, t => Spread([t.Total])) : null,
        [.. rounds.Select(r => new All2AllRound(r.Dispatch.P50, r.Combine.P50, r.Total.P50, r.Iterations, r.TotalIterations))]);

    private static SpreadUs Median<T>(List<T> rounds, Func<T, SpreadUs> of) => new(
        Median(rounds, r => of(r).Min), Median(rounds, r => of(r).P50), Median(rounds, r => of(r).P99));

    private static double Median<T>(List<T> rounds, Func<T, double> of)
    {
        double[] sorted = [.. rounds.Select(of).Order()];
        int middle = sorted.Length / 2;
        return Round(sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2);
    }

    private static double Round(double value) => Math.Round(value, 3);

    private sealed record Measured(SpreadUs Dispatch, SpreadUs Combine, SpreadUs Total, double Bytes, double Allocated, int Iterations,
        int TotalIterations);
}
