using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Fabric;

/// <summary>What every fabric owes its callers when something goes wrong: an end of every wait, and the name of the culprit.</summary>
public sealed class FabricFaultTests
{
    private static readonly FabricOptions Impatient = Ranks.Options with { WaitDeadline = TimeSpan.FromMilliseconds(250) };

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void An_abort_from_another_thread_ends_the_waits_of_all_ranks_and_names_the_culprit(FabricKind kind)
    {
        var world = Worlds.Of(4);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(1);
        using var ready = new CountdownEvent(world.Size);
        var outcomes = Ranks.Outcomes(kind, world, plan, fabric =>
        {
            fabric.SetStatus(At(fabric.Self.Value, StepPhase.Combine));
            ready.Signal();
            if (fabric.Self.Value == 2)
            {
                new Thread(() =>
                {
                    ready.Wait(Ranks.Limit);
                    fabric.Abort(world.Rank(3), "died (exit of process 812)");
                }).Start();
            }
            fabric.Wait(world.Rank(0), flags[0], 1);
        });
        for (int rank = 0; rank < world.Size; rank++)
        {
            var ended = Assert.IsType<FabricException>(outcomes[rank]);
            Assert.Equal($"rank {rank} at epoch 1, step {rank}, layer 5, combine: rank 3 died (exit of process 812)", ended.Message);
            Assert.Equal((world.Rank(rank), world.Rank(3)), (ended.Self, ended.Culprit));
        }
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void The_first_abort_wins_and_ends_every_later_call(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var box = plan.Reserve(8);
        var flags = plan.ReserveFlags(2);
        Ranks.Run(kind, world, plan, fabric =>
        {
            var peer = world.Rank(1 - fabric.Self.Value);
            if (fabric.Self.Value == 0)
            {
                fabric.Wait(peer, flags[0], 1);
                fabric.Abort(null, "the operator said so");
                fabric.Abort(peer, "came second");
            }
            else
            {
                fabric.Notify(peer, flags[0], 1);
                Assert.Throws<FabricException>(() => fabric.Wait(peer, flags[1], 1));
                fabric.Abort(peer, "came third");
            }
            Action[] calls =
            [
                () => fabric.Wait(fabric.Self, flags[0], 0),
                () => fabric.Notify(peer, flags[0], 2),
                () => fabric.Put(peer, box, new byte[8]),
                () => fabric.Peek(peer, flags[0]),
                () => fabric.Local(box).Clear(),
                () => fabric.SetStatus(default),
                () => fabric.TryMap(fabric.Self, box, out _),
            ];
            foreach (var call in calls)
            {
                var ended = Assert.Throws<FabricException>(call);
                Assert.Null(ended.Culprit);
                Assert.Equal("the operator said so", ended.Reason);
            }
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_reason_longer_than_its_record_is_cut_and_not_lost(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(1);
        string reason = string.Concat(Enumerable.Repeat("réason ", 300));
        var outcomes = Ranks.Outcomes(kind, world, plan, fabric =>
        {
            if (fabric.Self.Value == 0) fabric.Abort(null, reason);
            fabric.Wait(world.Rank(0), flags[0], 1);
        });
        string told = Assert.IsType<FabricException>(outcomes[1]).Reason;
        Assert.True(told.Length > 300);
        Assert.StartsWith(told, reason, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_wait_past_its_deadline_says_who_was_silent_and_where_that_rank_was(FabricKind kind)
    {
        var world = Worlds.Of(3);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(2);
        using var over = new ManualResetEventSlim();
        var outcomes = Ranks.Outcomes(kind, world, plan, fabric =>
        {
            if (fabric.Self.Value != 2)
            {
                fabric.SetStatus(At(812, StepPhase.Experts));
                fabric.Notify(world.Rank(2), flags[1], 1);
                over.Wait(Ranks.Limit); // the silent peer: its process lives, its executor does not come back
                return;
            }
            fabric.SetStatus(At(813, StepPhase.Dispatch));
            fabric.Wait(world.Rank(1), flags[1], 1);
            try
            {
                fabric.Wait(world.Rank(1), flags[0], 7);
            }
            finally
            {
                over.Set();
            }
        }, Impatient);
        var ended = Assert.IsType<FabricException>(outcomes[2]);
        Assert.Equal("rank 2 at epoch 1, step 813, layer 5, dispatch: rank 1 did not answer within 250 ms; "
            + "it was last at epoch 1, step 812, layer 5, experts", ended.Message);
        Assert.Equal(world.Rank(1), ended.Culprit);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_rank_that_gives_up_ends_the_waits_for_it_but_what_it_sent_before_still_arrives(FabricKind kind)
    {
        const int length = 3_000_000;
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var box = plan.Reserve(length);
        var flags = plan.ReserveFlags(3);
        var outcomes = Ranks.Outcomes(kind, world, plan, fabric =>
        {
            if (fabric.Self.Value == 0)
            {
                byte[] bytes = new byte[length];
                bytes.AsSpan().Fill(9);
                fabric.Put(world.Rank(1), box, bytes);
                fabric.Notify(world.Rank(1), flags[0], 1);
                return;
            }
            for (ulong value = 1; value < 100; value++) fabric.Notify(world.Rank(0), flags[2], value); // never waited for over there
            fabric.Wait(world.Rank(0), flags[0], 1);
            Assert.Equal(-1, fabric.Local(box).IndexOfAnyExcept((byte)9));
            fabric.Wait(world.Rank(0), flags[1], 1);
        });
        Assert.Null(outcomes[0]);
        var ended = Assert.IsType<FabricException>(outcomes[1]);
        Assert.Equal(world.Rank(0), ended.Culprit);
        Assert.Contains("closed its fabric connection", ended.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void What_is_sent_to_a_rank_that_gave_up_is_dropped(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var box = plan.Reserve(1 << 20);
        var flags = plan.ReserveFlags(2);
        using var gone = new ManualResetEventSlim();
        Ranks.Run(kind, world, plan, fabric =>
        {
            if (fabric.Self.Value == 0)
            {
                fabric.Notify(world.Rank(1), flags[0], 1);
                fabric.Dispose();
                gone.Set();
                return;
            }
            Assert.True(gone.Wait(Ranks.Limit));
            for (ulong value = 1; value < 20; value++)
            {
                fabric.Put(world.Rank(0), box, new byte[1 << 20]);
                fabric.Notify(world.Rank(0), flags[0], value);
            }
            fabric.Wait(world.Rank(0), flags[0], 1);
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_disposed_fabric_says_so_and_can_be_disposed_again(FabricKind kind)
    {
        var world = Worlds.Of(1);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(1);
        Ranks.Run(kind, world, plan, fabric =>
        {
            fabric.Dispose();
            fabric.Dispose();
            fabric.Abort(null, "too late to matter");
            Assert.Equal(default, fabric.StatusOf(fabric.Self));
            Assert.Throws<ObjectDisposedException>(() => fabric.Wait(fabric.Self, flags[0], 0));
        });
    }

    private static StepPoint At(long step, StepPhase phase) => new(new Epoch(1), new StepId(step), new LayerIndex(5), phase);
}
