using Troupe.Cli.Measures;
using Troupe.Cli.Output;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Xunit;

namespace Troupe.Cli.Tests.Bench;

public sealed class All2AllTallyTests
{
    private static readonly All2AllCase s_case = new(4, 64, 8, 2, RowType.Bf16, 0);

    private static readonly All2AllWork s_work = new(2, FabricKind.InProcess, [s_case], [Strategy.LowLatency, Strategy.Workspace], 0, 3, 1,
        10, 1000, "tally", []);

    [Fact]
    public void An_iteration_took_as_long_as_its_slowest_rank()
    {
        SpreadUs spread = All2AllTally.Spread([[1000, 9000, 3000], [2000, 1000, 4000]]);
        Assert.Equal(new SpreadUs(2, 4, 9), spread);
    }

    [Fact]
    public void Under_100_iterations_p99_is_the_largest() =>
        Assert.Equal(99, All2AllTally.Spread([[.. Enumerable.Range(1, 99).Select(i => i * 1000)]]).P99);

    [Fact]
    public void Figures_are_medians_over_rounds_and_the_cheapest_and_the_pick_are_marked()
    {
        List<(string, int, double)> said = [];
        var tally = new All2AllTally(s_work, (what, _, round, us) => said.Add((what, round, us)));
        (Strategy, int[])[] measured = [(Strategy.LowLatency, [5, 30, 6]), (Strategy.Workspace, [7, 8, 9])];
        foreach ((Strategy strategy, int[] totals) in measured)
        {
            for (int round = 0; round < totals.Length; round++)
            {
                All2AllSamples slow = Samples(round, strategy, totals[round]), quick = Samples(round, strategy, 1);
                tally.Add(slow);
                tally.Add(quick);
                Assert.Equal((Strategies.NameOf(strategy), round, totals[round]), said[^1]);
            }
        }
        Assert.Equal(6, said.Count);
        foreach ((int round, Strategy pick) in (ReadOnlySpan<(int, Strategy)>)[(0, Strategy.LowLatency), (1, Strategy.Workspace)])
        {
            tally.Add(new All2AllTurn(round, 0, [9000 + round], pick,
                new Dictionary<Strategy, double> { [Strategy.LowLatency] = 3, [Strategy.Workspace] = 4 }));
        }
        All2AllFigures[] figures = [.. tally.Figures()];
        Assert.Equal(["low_latency", "workspace"], figures.Select(f => f.Strategy));
        Assert.Equal([6.0, 8.0], figures.Select(f => f.TotalUs.P50));
        Assert.Equal([true, false], figures.Select(f => f.Cheapest));
        Assert.Equal([false, true], figures.Select(f => f.AutoPick));
        Assert.Equal([3.0, 4.0], figures.Select(f => f.PredictedUs));
        Assert.Equal((null, 9.0), (figures[0].AutoUs, Math.Round(figures[1].AutoUs!.P50)));
        Assert.Equal([5.0, 30.0, 6.0], figures[0].PerRound.Select(r => r.TotalUs));
    }

    private static All2AllSamples Samples(int round, Strategy strategy, int us) =>
        new(round, 0, strategy, [us * 1000], [us * 1000], [us * 1000], 10, 0);
}
