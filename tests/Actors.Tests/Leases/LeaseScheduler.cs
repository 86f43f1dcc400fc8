using Troupe.Actors.Protocols;
using Troupe.Actors.Scheduling;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Leases;

/// <summary>A request of the small world: ends by itself after some tokens, or because its scheduler says so (0: it does not).</summary>
internal readonly record struct Wish(int Tokens, int StopAfter);

/// <summary>A request that holds a slot.</summary>
internal sealed record Served(Wish Wish, int Drawn, bool Ending, bool Told);

/// <summary>A scheduler of the small world: the product's lane states around a batch of which only slots are left.</summary>
internal sealed class LeaseScheduler(int replica, int lanes, int perLane, Wish[] wishes)
{
    private long _version;
    private List<int> _leaves = [];

    public LaneRuns Runs { get; private set; } = LaneRuns.Start(lanes);

    public Served?[] Slots { get; private set; } = new Served?[lanes * perLane];

    /// <summary>Wishes that have come, and those of them that wait.</summary>
    public int Came { get; set; }

    public Queue<Wish> Waiting { get; private set; } = new();

    public int Finished { get; private set; }

    public StepId Asked { get; private set; }

    public Wish[] Wishes => wishes;

    public bool IsDone => Finished == wishes.Length && Runs.Lanes.All(l => l is LaneRun.Free);

    public LeaseScheduler Copy() => new(replica, lanes, perLane, wishes)
    {
        _version = _version, _leaves = [.. _leaves], Runs = Runs, Slots = [.. Slots], Came = Came, Waiting = new(Waiting),
        Finished = Finished, Asked = Asked,
    };

    /// <summary>What it says when a request comes.</summary>
    public void OnArrival(LeaseWorld world)
    {
        Waiting.Enqueue(wishes[Came++]);
        Pump(world);
    }

    public void OnResult(StepResult result, LeaseWorld world)
    {
        (Runs, LaneNews news) = Runs.On(result);
        Assert.NotEqual(LaneNews.Stale, news);
        foreach (SlotToken token in result.Tokens)
        {
            if (Slots[token.Slot] is not { } served) throw new LeaseViolation($"a token came for slot {token.Slot}, which nobody holds");
            served = served with { Drawn = served.Drawn + 1 };
            if (served.Wish.StopAfter == served.Drawn) served = served with { Ending = true };
            Slots[token.Slot] = served;
            if (token.End != TokenEnd.GoesOn) Release(token.Slot);
        }
        for (int slot = result.Lane * perLane; slot < (result.Lane + 1) * perLane; slot++)
        {
            bool there = result.Tokens.Any(t => t.Slot == slot);
            if (Slots[slot] is { Ending: true } && (!there || news == LaneNews.Freed)) Release(slot);
            else if (Slots[slot] is not null && !there && news == LaneNews.GoesOn)
                throw new LeaseViolation($"slot {slot} goes on, but {result.Step} has no token of it");
        }
        if (news == LaneNews.Freed) Reoffer(result.Lane, world);
        Pump(world);
    }

    public void OnEnded(LeaseEnded ended, LeaseWorld world)
    {
        (Runs, var freed) = Runs.On(ended);
        foreach (int lane in freed)
        {
            for (int slot = lane * perLane; slot < (lane + 1) * perLane; slot++)
                if (Slots[slot] is { Ending: true }) Release(slot);
            Reoffer(lane, world);
        }
        Pump(world);
    }

    public void Write(List<long> key)
    {
        key.AddRange([_version, Came, Waiting.Count, Finished, Asked.Value, Runs.Ended?.First.Value ?? 0, _leaves.Count]);
        foreach (int slot in _leaves) key.Add(slot);
        foreach (Wish wish in Waiting) key.Add(wish.Tokens * 64 + wish.StopAfter);
        foreach (LaneRun run in Runs.Lanes)
        {
            key.Add(run is LaneRun.Leased l ? 10 + (l.Lease.Value * 4096) + (l.Seen.Value * 2) + (l.Dry ? 1 : 0)
                : run is LaneRun.Free ? 0 : 1);
        }
        foreach (Served? served in Slots)
        {
            key.Add(served is null ? -1 : (served.Wish.Tokens * 4096) + (served.Wish.StopAfter * 256) + (served.Drawn * 4)
                + (served.Ending ? 2 : 0) + (served.Told ? 1 : 0));
        }
    }

    private void Reoffer(int lane, LeaseWorld world)
    {
        if (!Offer(lane, world)) world.Send(new StepOffer(world.Epoch, default, replica, lane, 0, StepKind.Decode, 0, 0), replica);
    }

    private void Pump(LeaseWorld world)
    {
        for (int lane = 0; lane < lanes; lane++) Offer(lane, world);
        if (Runs.Lease is not { Value: > 0 } lease) return;
        int[] ends = [.. Enumerable.Range(0, Slots.Length).Where(s => Slots[s] is { Ending: true, Told: false }
            && Runs.Lanes[s / perLane] is LaneRun.Leased)];
        bool leave = Asked != lease && Waiting.Count > 0 && Slots.Contains(null);
        if (ends.Length == 0 && !leave) return;
        foreach (int slot in ends) Slots[slot] = Slots[slot]! with { Told = true };
        if (leave) Asked = lease;
        world.Send(new LeaseNote(world.Epoch, lease, ends, leave), replica);
    }

    private bool Offer(int lane, LeaseWorld world)
    {
        if (!Runs.IsFree(lane) && !(world.Setup.Mistake == Mistake.OffersUnderLease && Runs.Lanes[lane] is LaneRun.Leased)) return false;
        var joins = new List<SlotJoin>();
        for (int slot = lane * perLane; slot < (lane + 1) * perLane && Waiting.Count > 0; slot++)
        {
            if (Slots[slot] is not null) continue;
            Slots[slot] = new Served(Waiting.Dequeue(), 0, false, false);
            joins.Add(new SlotJoin(slot, [], null!, SequenceMode.Generate, [], Slots[slot]!.Wish.Tokens, false));
        }
        SlotWork[] work = [.. Enumerable.Range(lane * perLane, perLane).Where(s => Slots[s] is { Ending: false })
            .Select(s => new SlotWork(s, 1))];
        if (work.Length == 0) return false;
        int[] leaves = [.. _leaves.Where(s => s / perLane == lane)];
        _leaves.RemoveAll(s => s / perLane == lane);
        Runs = Runs.Offer(lane);
        world.Send(new BatchDelta(world.Epoch, replica, ++_version, lane, joins, leaves, work), replica);
        StepKind kind = work.Any(w => Slots[w.Slot]!.Drawn == 0) ? StepKind.Prefill : StepKind.Decode;
        world.Send(new StepOffer(world.Epoch, default, replica, lane, work.Length, kind, _version, 0), replica);
        return true;
    }

    private void Release(int slot)
    {
        Slots[slot] = null;
        _leaves.Add(slot);
        Finished++;
    }
}
