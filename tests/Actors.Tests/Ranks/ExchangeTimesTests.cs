using Troupe.Actors.Ranks;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.RankSteps;

public sealed class ExchangeTimesTests
{
    private const int Layers = 2, FirstLayer = 3, Steps = 40;

    [Theory]
    [InlineData(FabricKind.InProcess, 2)]
    [InlineData(FabricKind.InProcess, 3)]
    [InlineData(FabricKind.Tcp, 2)]
    public void A_step_takes_the_sum_of_each_phases_shortest_time_and_all_ranks_know_it_a_step_later(FabricKind kind, int ranks)
    {
        var world = new World(new Layout(1, ranks, 1));
        Random random = Seed.For($"{nameof(ExchangeTimesTests)} {kind} {ranks}");
        int[] times = [.. Enumerable.Range(0, ranks * Steps * Layers * 2).Select(_ => random.Next(1, 1000))]; // microseconds
        int At(int rank, int step, int entry) => times[(((step * ranks) + rank) * Layers * 2) + entry];
        var plan = new WindowPlan();
        ExchangeTimesPlan reserved = ExchangeTimesPlan.Reserve(plan, ranks, Layers);
        FlagRange headers = plan.ReserveFlags(2);
        var results = new List<(StepId, double)>[ranks];

        Testing.Ranks.Run(kind, world, plan, fabric =>
        {
            var clock = new HandClock();
            int rank = fabric.Self.Value;
            var measured = new ExchangeTimes(fabric, world.All, reserved, new LayerIndex(FirstLayer), clock.TimestampFrequency);
            results[rank] = [];
            for (int step = 0; step < Steps; step++)
            {
                for (int entry = 0; entry < 2 * Layers; entry++)
                {
                    var layer = new LayerIndex(FirstLayer + (entry / 2));
                    var at = new StepPoint(new Epoch(1), new StepId(step + 1), layer, StepPhase.Attention);
                    clock.Pass(77, measured, at);
                    // In two visits, as tiles make them.
                    measured.At(at with { Phase = entry % 2 == 0 ? StepPhase.Dispatch : StepPhase.Combine }, clock.GetTimestamp());
                    clock.Advance(At(rank, step, entry) - 1);
                    clock.Pass(5, measured, at with { Phase = StepPhase.Experts });
                    measured.At(at with { Phase = entry % 2 == 0 ? StepPhase.Dispatch : StepPhase.Combine }, clock.GetTimestamp());
                    clock.Advance(1);
                    Exchange(fabric, world, headers, step, entry);
                }
                measured.At(new StepPoint(new Epoch(1), new StepId(step + 1), default, StepPhase.Idle), clock.GetTimestamp());
                results[rank].Add(measured.End(new StepId(step + 1)));
                clock.Advance(1000);
            }
        });

        Assert.All(results, rank => Assert.Equal(results[0], rank));
        Assert.Equal(default, results[0][0]);
        for (int step = 1; step < Steps; step++)
        {
            double want = Enumerable.Range(0, 2 * Layers).Sum(e => Enumerable.Range(0, ranks).Min(r => At(r, step - 1, e)));
            Assert.Equal((new StepId(step), want), results[0][step]);
        }
    }

    [Fact]
    public void A_group_of_one_measures_nothing()
    {
        var world = new World(new Layout(1, 1, 1));
        Testing.Ranks.Run(FabricKind.InProcess, world, new WindowPlan(), fabric =>
        {
            var measured = new ExchangeTimes(fabric, world.All, null, default, TimeProvider.System.TimestampFrequency);
            Assert.False(measured.IsOn);
            measured.At(new StepPoint(new Epoch(1), new StepId(1), default, StepPhase.Dispatch), 1);
            for (int step = 1; step < 4; step++) Assert.Equal(default, measured.End(new StepId(step)));
        });
    }

    /// <summary>What a dispatch and a combine do of their headers: each rank tells all, and hears all.</summary>
    private static void Exchange(IFabric fabric, World world, FlagRange headers, int step, int entry)
    {
        ulong value = ((ulong)step * Layers) + (ulong)(entry / 2) + 1;
        foreach (RankId peer in world.Ranks) fabric.Notify(peer, headers[entry % 2], value);
        foreach (RankId peer in world.Ranks) fabric.Wait(peer, headers[entry % 2], value);
    }

    private sealed class HandClock : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => _now;

        public void Advance(int microseconds) => _now += microseconds;

        /// <summary>Time in a phase that does not count.</summary>
        public void Pass(int microseconds, ExchangeTimes measured, StepPoint at)
        {
            measured.At(at, GetTimestamp());
            Advance(microseconds);
        }
    }
}
