using Troupe.Actors.Protocols;
using Troupe.Actors.Scheduling;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Scheduling;

public sealed class RoundClockTests
{
    private readonly TestClock _clock = new();

    [Fact]
    public void The_median_is_of_the_plans_that_waited_for_this_offer_only()
    {
        var rounds = new RoundClock(_clock, lanes: 2);
        Assert.Null(rounds.MedianUs);
        Round(rounds, 0, 1, 100, Plan(0, 1, askedBy: 1));
        Round(rounds, 1, 2, 300, Plan(1, 2, askedBy: 1));
        Round(rounds, 0, 3, 200, Plan(0, 3, askedBy: 1));
        Assert.Equal(200, rounds.MedianUs);
        for (int version = 4; version < 20; version++)
        {
            Round(rounds, 0, version, 9000, Plan(0, version, askedBy: 0)); // somebody else was late
            Round(rounds, 0, version, 9000, Plan(0, version + 100, askedBy: 1)); // another batch
            rounds.Planned(Plan(7, version, askedBy: 1), 1);
        }
        Assert.Equal(200, rounds.MedianUs);
    }

    [Fact]
    public void Old_rounds_are_forgotten_and_a_plan_counts_once()
    {
        var rounds = new RoundClock(_clock, lanes: 1);
        Round(rounds, 0, 1, 5000, Plan(0, 1, askedBy: 1));
        for (int i = 0; i < 10; i++) rounds.Planned(Plan(0, 1, askedBy: 1), 1);
        for (int version = 2; version <= RoundClock.Kept; version++) Round(rounds, 0, version, version, Plan(0, version, askedBy: 1));
        Assert.Equal((RoundClock.Kept / 2) + 2, rounds.MedianUs);
        for (int i = 0; i < RoundClock.Kept; i++) Round(rounds, 0, 1 + i, 7, Plan(0, 1 + i, askedBy: 1));
        Assert.Equal(7, rounds.MedianUs);
    }

    private void Round(RoundClock rounds, int lane, long version, int microseconds, StepPlan plan)
    {
        rounds.Offered(lane, version);
        _clock.Now += microseconds;
        rounds.Planned(plan, 1);
    }

    private static StepPlan Plan(int lane, long version, int askedBy) => new(
        new Epoch(1), new StepId(9), lane, default, "", [default, new ReplicaShare(1, version)], null, askedBy);

    private sealed class TestClock : TimeProvider
    {
        public long Now { get; set; } = 1;

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => Now;
    }
}
