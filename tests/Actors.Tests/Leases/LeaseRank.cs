using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Leases;

/// <summary>What a rank says to its group in a step: plan or lease, lane, strategy, its bit, whether it has rows.</summary>
internal readonly record struct Said(long Step, int Lane, string Strategy, bool Leased, bool Leave, bool Rows);

/// <summary>The step that a rank of the small world is in.</summary>
internal sealed record Doing(
    LeasedStep At, string Strategy, StepPlan? Plan, BatchDelta? Batch, int[] Slots, bool Leave, LeaseVerdict Heard);

/// <summary>A sequence as a rank knows it: the last stage counts its tokens, stage 0 hears of its end.</summary>
internal sealed record Held(int Drawn, int Most, bool Ended, bool Leased);

/// <summary>One rank of the small world: the product's stage and lease states around a step of which only the protocol is left.</summary>
internal sealed class LeaseRank(int stage, int replica, int slots, int lanes)
{
    public int Stage => stage;

    public int Replica => replica;

    public StageState Steps { get; set; } = StageState.Start(new Epoch(1), replica);

    public Queue<StageStep> Queue { get; private set; } = new();

    public RankLease Lease { get; private set; } = new();

    public List<LeaseNote> Notes { get; private set; } = [];

    public Doing? Doing { get; set; }

    public Held?[] Slots { get; private set; } = new Held?[slots];

    public bool[] HadRows { get; private set; } = new bool[lanes];

    /// <summary>Exchanges with the group so far, and what was said in the last two.</summary>
    public int Exchanges { get; private set; }

    public Said[] Said { get; private set; } = new Said[2];

    public LeaseRank Copy() => new(stage, replica, slots, lanes)
    {
        Steps = Steps, Queue = new(Queue), Lease = Lease.Copy(), Notes = [.. Notes], Doing = Doing, Slots = [.. Slots],
        HadRows = [.. HadRows], Exchanges = Exchanges, Said = [.. Said],
    };

    public void Deliver((StageState State, System.Collections.Immutable.ImmutableList<StageStep> Ready, bool Dropped) outcome)
    {
        Assert.False(outcome.Dropped, "a stage dropped a message");
        Steps = outcome.State;
        foreach (StageStep step in outcome.Ready) Queue.Enqueue(step);
    }

    /// <summary>Applies notes, and drops those that come too late.</summary>
    public void TakeNotes(bool anyLease = false)
    {
        for (int i = 0; i < Notes.Count;)
        {
            if (Lease.On(anyLease ? Notes[i] with { Step = Lease.Id } : Notes[i]) is not { } counts)
            {
                i++;
                continue;
            }
            if (counts) foreach (int slot in Notes[i].Ends) End(slot);
            Notes.RemoveAt(i);
        }
    }

    public void End(int slot)
    {
        if (Slots[slot] is { } held) Slots[slot] = held with { Ended = true };
    }

    public void Apply(BatchDelta? batch)
    {
        if (batch is null) return;
        foreach (int slot in batch.Leaves) Slots[slot] = null;
        foreach (SlotJoin join in batch.Joins) Slots[join.Slot] = new Held(0, join.MaxTokens, false, false);
    }

    /// <summary>The rows of a lane's planned step go on under the lease of its plan; a slot without one may be long given up.</summary>
    public void Lend(int[] slots, int from, int count)
    {
        for (int slot = from; slot < from + count; slot++)
            if (Slots[slot] is { } held) Slots[slot] = held with { Leased = slots.Contains(slot) };
    }

    /// <summary>Speaks to the group and is in the step until all have spoken.</summary>
    public void Enter(Doing doing)
    {
        Doing = doing;
        Said[Exchanges++ % 2] = new Said(doing.At.Step.Value, doing.At.Lane, doing.Strategy, doing.Plan is null, doing.Leave,
            doing.Slots.Length > 0);
    }

    public void Write(List<long> key)
    {
        key.AddRange([Steps.LastStarted.Value, Queue.Count, Notes.Count, Exchanges, Lease.Id.Value, Lease.IsOn ? 1 : 0,
            Lease.Walk?.Step.Value ?? 0, Lease.IsOn && Lease.Asks ? 1 : 0]);
        foreach (long version in Steps.Deltas.Keys.Order()) key.Add(version);
        foreach (StepPlan plan in Steps.Plans) key.Add(-plan.Step.Value);
        foreach (StageStep step in Queue) key.Add(step.Plan.Step.Value);
        if (Lease.IsOn) foreach (StepId last in Lease.Walk!.Lasts) key.Add(last.Value);
        foreach (LeaseNote note in Notes) key.AddRange([note.Step.Value, note.Leave ? 1 : 0, .. note.Ends.Select(e => (long)e)]);
        key.Add(Doing is null ? -1 : Doing.At.Step.Value * 8 + (Doing.Leave ? 4 : 0) + (long)Doing.Heard);
        if (Doing is not null) foreach (int slot in Doing.Slots) key.Add(slot);
        foreach (Held? held in Slots)
            key.Add(held is null ? -1 : (held.Drawn * 64) + (held.Most * 4) + (held.Ended ? 2 : 0) + (held.Leased ? 1 : 0));
        foreach (bool had in HadRows) key.Add(had ? 1 : 0);
        foreach (Said said in Said) key.Add(said.Step * 8 + (said.Leased ? 4 : 0) + (said.Leave ? 2 : 0) + (said.Rows ? 1 : 0));
    }
}
