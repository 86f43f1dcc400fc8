using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.All2All;

public sealed class CalibrationTests
{
    public static TheoryData<FabricKind, int> Cases()
    {
        var data = new TheoryData<FabricKind, int>();
        foreach (var kind in Worlds.Fabrics)
            foreach (int ranks in (int[])[1, 2, 3, 4, 5]) data.Add(kind, ranks);
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_rank_gets_finite_positive_constants_of_the_classes_it_met(FabricKind kind, int ranks)
    {
        var world = Worlds.Of(ranks);
        var results = Measure(kind, world, _ => world.All, TimeProvider.System);
        for (int rank = 0; rank < ranks; rank++)
        {
            int perHost = kind == FabricKind.Tcp || ranks == 2 ? 1 : 2; // as a mixed world of tests is made
            int near = kind is FabricKind.Tcp or FabricKind.Mixed
                ? Enumerable.Range(0, ranks).Count(r => r / perHost == rank / perHost) - 1 : ranks - 1;
            AssertUsable(results[rank].Self);
            if (near > 0) AssertUsable(results[rank].Mapped);
            else Assert.Null(results[rank].Mapped);
            if (ranks - 1 - near > 0) AssertUsable(results[rank].Tcp);
            else Assert.Null(results[rank].Tcp);
        }
    }

    [Theory]
    [InlineData(FabricKind.InProcess)]
    [InlineData(FabricKind.Tcp)]
    public void Groups_of_one_and_of_several_measure_at_the_same_time_over_one_reservation(FabricKind kind)
    {
        var world = Worlds.Of(4);
        var results = Measure(kind, world, rank => rank.Value == 3 ? world.Group(3) : world.Group(2, 0, 1), TimeProvider.System);
        Assert.All(results.Take(3), result => AssertUsable(kind == FabricKind.Tcp ? result.Tcp : result.Mapped));
        AssertUsable(results[3].Self);
        Assert.Equal((null, null), (results[3].Mapped, results[3].Tcp));
    }

    [Theory]
    [InlineData(0)] // a clock that stands: only the counts end it
    [InlineData(1_000_000_000_000)] // a clock that leaps: the least count ends it
    public void It_ends_whatever_the_clock_says(long leap)
    {
        var world = Worlds.Of(2);
        var results = Measure(FabricKind.InProcess, world, _ => world.All, new LeapingClock(leap));
        Assert.All(results, result =>
        {
            AssertUsable(result.Self);
            AssertUsable(result.Mapped);
        });
    }

    [Fact]
    public void A_rank_may_measure_again()
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var reserved = CalibrationPlan.Reserve(plan);
        Ranks.Run(FabricKind.InProcess, world, plan, fabric =>
        {
            var calibration = new Calibration(fabric, world.All, reserved, TimeProvider.System);
            for (int i = 0; i < 2; i++) AssertUsable(calibration.Measure().Mapped);
        });
    }

    [Fact]
    public void A_peer_that_dies_meanwhile_ends_the_wait_with_its_name()
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var reserved = CalibrationPlan.Reserve(plan);
        var outcomes = Ranks.Outcomes(FabricKind.InProcess, world, plan, fabric =>
        {
            if (fabric.Self.Value == 1) return; // and gives up its fabric
            new Calibration(fabric, world.All, reserved, TimeProvider.System).Measure();
        });
        Assert.Equal(world.Rank(1), Assert.IsType<FabricException>(outcomes[0]).Culprit);
        Assert.Null(outcomes[1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(6)]
    [InlineData(16)]
    [InlineData(100)]
    [InlineData(1024)]
    public void Rounds_are_bounded_give_every_rank_a_peer_and_every_pair_of_a_small_group_one_meeting(int members)
    {
        int[] rounds = Calibration.Rounds(members);
        Assert.InRange(rounds.Length, 0, Calibration.MaxRounds);
        Assert.Equal(rounds.Length, rounds.Distinct().Count());
        for (int rank = 0; rank < members; rank++)
        {
            int peers = rounds.Select(round => rank ^ round).Count(peer => peer < members);
            Assert.InRange(peers, members > 1 ? 1 : 0, Calibration.MaxRounds);
            if (members <= Calibration.MaxRounds + 1) Assert.Equal(members - 1, peers);
        }
    }

    private static LinkCalibration[] Measure(FabricKind kind, World world, Func<RankId, RankGroup> groupOf, TimeProvider clock)
    {
        var plan = new WindowPlan();
        var reserved = CalibrationPlan.Reserve(plan);
        var results = new LinkCalibration[world.Size];
        Ranks.Run(kind, world, plan, fabric =>
            results[fabric.Self.Value] = new Calibration(fabric, groupOf(fabric.Self), reserved, clock).Measure());
        return results;
    }

    private static void AssertUsable(LinkConstants? constants)
    {
        Assert.NotNull(constants);
        double[] all = [constants.MessageUs, constants.ByteUs, constants.FlagUs, constants.RowUs, constants.RowByteUs];
        Assert.All(all, value => Assert.True(double.IsFinite(value) && value > 0, $"{constants}"));
    }

    private sealed class LeapingClock(long leap) : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => 1_000_000_000;

        public override long GetTimestamp() => Interlocked.Add(ref _now, leap);
    }
}
