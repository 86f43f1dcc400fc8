using System.Runtime.InteropServices;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Fabric.Faults;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Fabric;

/// <summary>Each way in which a fabric goes wrong, as the ranks around it see it, over every fabric.</summary>
public sealed class FaultyFabricTests
{
    private const int Rounds = 6, Pieces = 3, PieceValues = 700; // of 2,800 and 14,000 bytes: tcp copies only small ones
    private static readonly FabricOptions Impatient = Ranks.Options with { WaitDeadline = TimeSpan.FromMilliseconds(250) };

    public static TheoryData<FabricKind, FaultRule> Harmless() => Over(
        new(new(FaultOperation.Put, 2), new Fault.Delay(1)),
        new(new(FaultOperation.Put, 5), new Fault.Delay(4)),
        new(new(FaultOperation.Notify, 2), new Fault.Delay(9)),
        new(new(FaultOperation.Put, 4), new Fault.DelayFor(TimeSpan.FromMilliseconds(20))),
        new(new(FaultOperation.Notify, 3), new Fault.DelayFor(TimeSpan.FromMilliseconds(20))),
        new(new(FaultOperation.Wait, 3), new Fault.DelayFor(TimeSpan.FromMilliseconds(20))),
        new(new(FaultOperation.Put, 4), new Fault.Reorder(3)),
        new(new(FaultOperation.Put, 7), new Fault.Duplicate()),
        new(new(FaultOperation.Notify, 2), new Fault.Duplicate()),
        new(new(FaultOperation.Any), new Fault.Slow(TimeSpan.FromMicroseconds(50))));

    public static TheoryData<FabricKind, FaultRule> Losses() => Over(
        new(new(FaultOperation.Put, 5), new Fault.Drop()),
        new(new(FaultOperation.Notify, Rounds), new Fault.Drop()),
        new(new(FaultOperation.Put, 5), new Fault.Truncate(0.5)),
        new(new(FaultOperation.Put, 5), new Fault.Hang()),
        new(new(FaultOperation.Notify, 2), new Fault.Hang()));

    public static TheoryData<FabricKind, FaultRule> Deaths() => Over(
        new(new(FaultOperation.Put, 5), new Fault.Kill()),
        new(new(FaultOperation.Notify, 2), new Fault.Kill()),
        new(new(FaultOperation.Any) { Step = new StepId(3) }, new Fault.Kill()));

    [Theory]
    [MemberData(nameof(Harmless))]
    public void What_is_late_shuffled_or_doubled_arrives_as_it_was_meant(FabricKind kind, FaultRule rule)
    {
        const int ranks = 3;
        var world = Worlds.Of(ranks);
        var plan = new WindowPlan();
        var boxes = Reserve(plan, 2 * ranks); // of each source, used in turn
        var flags = plan.ReserveFlags(1);
        Ranks.Run(kind, world, plan, inner =>
        {
            using var fabric = new FaultyFabric(inner, new FaultPlan(rule), Ranks.Options);
            for (int round = 1; round <= Rounds; round++)
            {
                fabric.SetStatus(At(round));
                foreach (var peer in world.Ranks) SendRound(fabric, peer, boxes[2 * fabric.Self.Value + round % 2], flags[0], round);
                foreach (var peer in world.Ranks)
                {
                    fabric.Wait(peer, flags[0], (ulong)round);
                    AssertRound(fabric, peer, boxes[2 * peer.Value + round % 2], round);
                }
            }
        });
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void Who_loses_something_or_hangs_is_named_at_the_deadline(FabricKind kind, FaultRule rule)
    {
        var (outcomes, got) = ToRankZero(kind, rule);
        var ended = Assert.IsType<FabricException>(outcomes[0]);
        Assert.Equal(1, ended.Culprit?.Value);
        Assert.StartsWith("did not answer within 250 ms", ended.Reason, StringComparison.Ordinal);
        Assert.True(got < Rounds);
        // A rank that hangs hears of the abort all the same.
        if (rule.Fault is Fault.Hang) Assert.Equal(ended.Reason, Assert.IsType<FabricException>(outcomes[1]).Reason);
        else Assert.Null(outcomes[1]);
        Assert.Null(outcomes[2]);
    }

    [Theory]
    [MemberData(nameof(Deaths))]
    public void Who_dies_is_named_and_makes_no_further_call(FabricKind kind, FaultRule rule)
    {
        var (outcomes, got) = ToRankZero(kind, rule);
        var own = Assert.IsType<FabricException>(outcomes[1]);
        Assert.Equal("died, as its fault plan said", own.Reason);
        Assert.Equal(1, own.Culprit?.Value);
        var ended = Assert.IsType<FabricException>(outcomes[0]);
        Assert.Equal(1, ended.Culprit?.Value);
        Assert.Contains("closed its fabric connection", ended.Reason, StringComparison.Ordinal);
        Assert.True(got < Rounds);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void The_dead_throw_on_every_call_and_tell_nobody(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var box = plan.Reserve(8);
        var flags = plan.ReserveFlags(2);
        using var over = new ManualResetEventSlim();
        bool died = false;
        Ranks.Run(kind, world, plan, inner =>
        {
            var peer = world.Rank(1 - inner.Self.Value);
            if (inner.Self.Value == 1)
            {
                var ended = Assert.Throws<FabricException>(() => inner.Wait(peer, flags[0], 1));
                over.Set();
                Assert.Equal((peer, "closed its fabric connection: its process ended, or it gave up"), (ended.Culprit, ended.Reason));
                return;
            }
            using var fabric = new FaultyFabric(inner, new FaultPlan(new FaultRule(new(FaultOperation.Wait), new Fault.Kill())),
                Ranks.Options, () => died = true);
            Assert.Throws<FabricException>(() => fabric.Wait(peer, flags[0], 1));
            Assert.True(died);
            fabric.Abort(peer, "a word from the grave");
            Action[] calls =
            [
                () => fabric.Wait(peer, flags[0], 0),
                () => fabric.Notify(peer, flags[0], 2),
                () => fabric.Put(peer, box, new byte[8]),
                () => fabric.Peek(peer, flags[0]),
                () => fabric.Local(box).Clear(),
                () => fabric.SetStatus(default),
                () => fabric.TryMap(fabric.Self, box, out _),
            ];
            foreach (var call in calls) Assert.Equal(fabric.Self, Assert.Throws<FabricException>(call).Culprit);
            Assert.True(over.Wait(Ranks.Limit));
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_fault_comes_at_its_step_layer_and_phase_and_not_before(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(1);
        var wanted = new StepPoint(new Epoch(1), new StepId(3), new LayerIndex(2), StepPhase.Combine);
        var rule = new FaultRule(
            new(FaultOperation.Notify, 2) { Step = wanted.Step, Layer = wanted.Layer, Phase = wanted.Phase, Peer = world.Rank(1) },
            new Fault.Kill());
        int notified = 0;
        var outcomes = Ranks.Outcomes(kind, world, plan, inner =>
        {
            if (inner.Self.Value != 0) return;
            using var fabric = new FaultyFabric(inner, new FaultPlan(rule), Ranks.Options);
            for (int step = 1; step <= 4; step++)
                for (int layer = 0; layer < 4; layer++)
                    foreach (var phase in (StepPhase[])[StepPhase.Dispatch, StepPhase.Combine])
                    {
                        fabric.SetStatus(new StepPoint(new Epoch(1), new StepId(step), new LayerIndex(layer), phase));
                        for (int i = 0; i < 3; i++)
                        {
                            fabric.Notify(world.Rank(1), flags[0], (ulong)++notified);
                            fabric.Notify(fabric.Self, flags[0], (ulong)notified);
                        }
                    }
        });
        Assert.Equal(wanted, Assert.IsType<FabricException>(outcomes[0]).At);
        Assert.Equal((2 * 4 + 2) * 2 * 3 + 3 + 2, notified);
    }

    [Fact]
    public void Slow_costs_its_time_on_the_fabrics_clock_at_every_call()
    {
        var clock = new TickingClock();
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(1);
        Ranks.Run(FabricKind.InProcess, world, plan, inner =>
        {
            if (inner.Self.Value != 0) return;
            var slow = new FaultRule(new(FaultOperation.Notify, 3), new Fault.Slow(TimeSpan.FromSeconds(7)));
            using var fabric = new FaultyFabric(inner, new FaultPlan(slow), Ranks.Options with { Clock = clock });
            for (ulong value = 1; value <= 2; value++) fabric.Notify(world.Rank(1), flags[0], value);
            Assert.Equal(TimeSpan.Zero, clock.Passed);
            for (ulong value = 3; value <= 12; value++) fabric.Notify(world.Rank(1), flags[0], value);
            Assert.InRange(clock.Passed, TimeSpan.FromSeconds(70), TimeSpan.FromSeconds(100)); // each look at the clock takes half a second
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Nothing_is_allocated_while_no_rule_fires(FabricKind kind)
    {
        const int warmUp = 50, rounds = 200;
        var world = Worlds.Of(3);
        var plan = new WindowPlan();
        var boxes = Reserve(plan, world.Size);
        var flags = plan.ReserveFlags(1);
        FaultRule[] rules =
        [
            new(new(FaultOperation.Put, int.MaxValue), new Fault.Delay(3)),
            new(new(FaultOperation.Any) { Step = new StepId(1_000_000), Layer = new LayerIndex(3) }, new Fault.Kill()),
        ];
        Ranks.Run(kind, world, plan, inner =>
        {
            using var fabric = new FaultyFabric(inner, new FaultPlan(rules), Ranks.Options);
            byte[] piece = new byte[1000];
            long before = 0;
            for (int round = 1; round <= warmUp + rounds; round++)
            {
                if (round == warmUp) before = GC.GetAllocatedBytesForCurrentThread();
                fabric.SetStatus(At(round));
                for (int i = 0; i < world.Size; i++)
                {
                    fabric.Put(world.Rank(i), boxes[fabric.Self.Value].Slice(0, piece.Length), piece);
                    fabric.Notify(world.Rank(i), flags[0], (ulong)round);
                }
                for (int i = 0; i < world.Size; i++) fabric.Wait(world.Rank(i), flags[0], (ulong)round);
            }
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_plan_about_puts_hides_the_windows_of_peers(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var box = plan.Reserve(16);
        var aboutPuts = new FaultRule(new(FaultOperation.Put, 100), new Fault.Duplicate());
        var aboutWaits = new FaultRule(new(FaultOperation.Wait, 100), new Fault.Kill());
        Ranks.Run(kind, world, plan, inner =>
        {
            var peer = world.Rank(1 - inner.Self.Value);
            var hiding = new FaultyFabric(inner, new FaultPlan(aboutPuts, aboutWaits), Ranks.Options);
            var showing = new FaultyFabric(inner, new FaultPlan(aboutWaits), Ranks.Options);
            Assert.False(hiding.TryMap(peer, box, out _));
            Assert.True(hiding.TryMap(hiding.Self, box, out var own));
            Assert.Equal(16, own.Length);
            Assert.Equal(inner.TryMap(peer, box, out _), showing.TryMap(peer, box, out _));
            Assert.Throws<ArgumentOutOfRangeException>(() => hiding.TryMap(peer, new Region(0, 1 << 20), out _));
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_header_that_is_lost_in_silence_is_noticed_by_the_exchange(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, new CommunicatorShape(2) { CollectiveBytes = 64 });
        var outcomes = Ranks.Outcomes(kind, world, plan, inner =>
        {
            FaultRule[] rules = inner.Self.Value == 0 ? [] : [new(new(FaultOperation.Put, 3), new Fault.Drop(Silent: true))];
            using var fabric = new FaultyFabric(inner, new FaultPlan(rules), Ranks.Options);
            var comm = new Communicator(fabric, world.All, reserved);
            for (int i = 0; i < 5; i++) comm.Barrier(); // one Put each: its header
        });
        var ended = Assert.IsType<FabricException>(outcomes[0]);
        Assert.Equal(1, ended.Culprit?.Value);
        Assert.Contains("sent exchange 1 of 0 parts where rank 0 is at exchange 3", ended.Reason, StringComparison.Ordinal);
        Assert.Equal(ended.Reason, Assert.IsType<FabricException>(outcomes[1]).Reason);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_corrupted_put_arrives_with_those_bits_flipped_and_all_else_in_order(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var boxes = Reserve(plan, 1);
        var flags = plan.ReserveFlags(1);
        Ranks.Run(kind, world, plan, inner =>
        {
            var rule = new FaultRule(new(FaultOperation.Put, 2), new Fault.Corrupt(PieceValues, 0x81));
            using var fabric = new FaultyFabric(inner, new FaultPlan(rule), Ranks.Options);
            if (fabric.Self.Value == 1)
            {
                SendRound(fabric, world.Rank(0), boxes[0], flags[0], 1);
                return;
            }
            fabric.Wait(world.Rank(1), flags[0], 1);
            fabric.Local(PieceOf(boxes[0], 1))[PieceValues] ^= 0x81;
            AssertRound(fabric, world.Rank(1), boxes[0], 1);
        });
    }

    [Fact]
    public void A_fault_that_cannot_happen_to_a_call_is_refused()
    {
        Fault[] faults =
        [
            new Fault.Drop(), new Fault.Duplicate(), new Fault.Truncate(0.5), new Fault.Reorder(1), new Fault.Delay(1), new Fault.Corrupt(),
        ];
        foreach (var fault in faults)
            foreach (var operation in (FaultOperation[])[FaultOperation.Any, FaultOperation.Wait])
                Assert.Throws<ArgumentException>(() => new FaultRule(new FaultPoint(operation), fault));
        Assert.Throws<ArgumentException>(() => new FaultRule(new FaultPoint(FaultOperation.Notify), new Fault.Truncate(0.5)));
    }

    /// <summary>
    /// Ranks 1 and 2 send rounds to rank 0, rank 1 with a fault; only rank 0 waits, so it alone notices. It aborts like the runtime does.
    /// Also how many rounds it got whole.
    /// </summary>
    private static (IReadOnlyList<Exception?> Outcomes, int Got) ToRankZero(FabricKind kind, FaultRule rule)
    {
        var world = Worlds.Of(3);
        var plan = new WindowPlan();
        var boxes = Reserve(plan, world.Size * Rounds);
        var flags = plan.ReserveFlags(1);
        using var over = new ManualResetEventSlim();
        int got = 0;
        var outcomes = Ranks.Outcomes(kind, world, plan, inner =>
        {
            FaultRule[] rules = inner.Self.Value == 1 ? [rule] : [];
            using var fabric = new FaultyFabric(inner, new FaultPlan(rules), Impatient);
            for (int round = 1; round <= Rounds; round++)
            {
                fabric.SetStatus(At(round));
                if (fabric.Self.Value != 0)
                    SendRound(fabric, world.Rank(0), boxes[fabric.Self.Value * Rounds + round - 1], flags[0], round);
            }
            if (fabric.Self.Value != 0)
            {
                over.Wait(Ranks.Limit); // who sent all stays, so that silence is what rank 0 notices
                return;
            }
            try
            {
                for (int round = 1; round <= Rounds; got = round++)
                    for (int source = 2; source > 0; source--)
                    {
                        fabric.Wait(world.Rank(source), flags[0], (ulong)round);
                        AssertRound(fabric, world.Rank(source), boxes[source * Rounds + round - 1], round);
                    }
            }
            catch (FabricException ended)
            {
                fabric.Abort(ended.Culprit, ended.Reason);
                throw;
            }
            finally
            {
                over.Set();
            }
        }, Impatient);
        return (outcomes, got);
    }

    private static void SendRound(FaultyFabric fabric, RankId peer, Region box, int flag, int round)
    {
        for (int piece = 0; piece < Pieces; piece++) fabric.Put(peer, PieceOf(box, piece), Values(fabric.Self, peer, round, piece));
        fabric.Notify(peer, flag, (ulong)round);
    }

    private static void AssertRound(FaultyFabric fabric, RankId source, Region box, int round)
    {
        for (int piece = 0; piece < Pieces; piece++)
            Assert.Equal(Values(source, fabric.Self, round, piece), fabric.Local(PieceOf(box, piece)).ToArray());
    }

    private static byte[] Values(RankId source, RankId target, int round, int piece)
    {
        int[] values = new int[PieceValues * (piece == 1 ? 5 : 1)];
        for (int i = 0; i < values.Length; i++) values[i] = ((source.Value * 10 + target.Value) * 100 + round * 10 + piece) * 10_000 + i;
        return MemoryMarshal.AsBytes<int>(values).ToArray();
    }

    private static Region PieceOf(Region box, int piece) => piece switch
    {
        0 => box.Slice(0, PieceValues * sizeof(int)),
        1 => box.Slice(PieceValues * sizeof(int), 5 * PieceValues * sizeof(int)),
        _ => box.Slice(6 * PieceValues * sizeof(int), PieceValues * sizeof(int)),
    };

    private static Region[] Reserve(WindowPlan plan, int boxes) =>
        [.. Enumerable.Range(0, boxes).Select(_ => plan.Reserve(7 * PieceValues * sizeof(int)))];

    private static TheoryData<FabricKind, FaultRule> Over(params FaultRule[] rules)
    {
        var data = new TheoryData<FabricKind, FaultRule>();
        foreach (var kind in Worlds.Fabrics)
            foreach (var rule in rules) data.Add(kind, rule);
        return data;
    }

    private static StepPoint At(long step) => new(new Epoch(1), new StepId(step), new LayerIndex(5), StepPhase.Combine);

    /// <summary>Time passes when somebody looks.</summary>
    private sealed class TickingClock : TimeProvider
    {
        private const long Tick = TimeSpan.TicksPerSecond / 2;
        private long _now;

        public TimeSpan Passed => TimeSpan.FromTicks(Volatile.Read(ref _now));

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Add(ref _now, Tick) - Tick;
    }
}
