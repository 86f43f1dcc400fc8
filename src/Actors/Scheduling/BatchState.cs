using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Troupe.Model.Cache;

namespace Troupe.Actors.Scheduling;

/// <summary>
/// Continuous batching of one replica, without actors, clocks or text: requests queue, are admitted between steps when a slot and all the
/// KV they can ever need are free, bring prompt chunks and then one row a step, and leave. Deterministic: same calls, same batches.
/// </summary>
/// <remarks>
/// A lane is a micro-batch. Slots belong to lanes, so that lanes never touch each other's state; a sequence stays in its lane. Decode rows
/// come first in a step, prompt chunks fill what is left of it, oldest first.
/// </remarks>
public sealed class BatchState(Epoch epoch, int replica, EpochSizes sizes, int maxQueue)
{
    private readonly LinkedList<Sequence> _queue = [];
    private readonly Sequence?[] _slots = new Sequence?[sizes.MaxRunning];
    private readonly List<int>[] _leaves = [.. Enumerable.Range(0, sizes.Lanes).Select(_ => new List<int>())];
    private BlockPool _blocks = BlockPool.Of(sizes.Blocks, sizes.BlockSize);
    private LaneRuns _runs = LaneRuns.Start(sizes.Lanes);
    private StepId _leaveAsked;
    private long _version;

    /// <summary>Requests that wait for a slot.</summary>
    public int Queued => _queue.Count;

    /// <summary>Sequences that hold a slot.</summary>
    public int Running => _slots.Count(s => s is not null);

    /// <summary>KV blocks nobody holds.</summary>
    public int FreeBlocks => _blocks.Free;

    /// <summary>How much there is to do; every request counts as long as it may become.</summary>
    public ReplicaLoad Load => new(epoch, replica, All.Sum(s => (long)Positions(s) - s.Computed), (long)_blocks.Free * sizes.BlockSize);

    /// <summary>Nothing waits, runs, or is in a step.</summary>
    public bool IsIdle => _queue.Count == 0 && Running == 0 && _runs.Lanes.All(run => run is LaneRun.Free or LaneRun.Leased { Dry: true });

    /// <summary>All requests, running ones first.</summary>
    public IEnumerable<Sequence> All => _slots.Where(s => s is not null).Select(s => s!).Concat(_queue);

    /// <summary>The sequence in a slot.</summary>
    public Sequence? At(int slot) => (uint)slot < (uint)_slots.Length ? _slots[slot] : null;

    /// <summary>Puts a request into the queue.</summary>
    /// <returns>Why it is refused, or null.</returns>
    public string? Enqueue(Sequence sequence)
    {
        if (_queue.Count >= maxQueue)
            return $"the queue is full: {maxQueue} requests wait already; try again later or raise troupe.scheduler.max-queue";
        int needed = _blocks.BlocksFor(Positions(sequence));
        if (needed > sizes.Blocks)
        {
            return $"the request needs KV for {sequence.Prompt.Length} + {sequence.Request.MaxTokens} tokens = {needed} blocks of "
                + $"{sizes.BlockSize}, "
                + $"the cache has {sizes.Blocks}; ask for fewer tokens or raise troupe.scheduler.kv-tokens";
        }
        _queue.AddLast(sequence);
        return null;
    }

    /// <summary>
    /// The next step's batch of a lane that has none running, or null when it has nothing to do. Admits what fits;
    /// <paramref name="admitted"/> lists it.
    /// </summary>
    public BatchDelta? Compose(int lane, List<Sequence> admitted)
    {
        if (!_runs.IsFree(lane)) return null;
        var joins = new List<SlotJoin>();
        while (TryAdmit(lane) is { } sequence)
        {
            admitted.Add(sequence);
            RequestSpec request = sequence.Request;
            joins.Add(new SlotJoin(sequence.Slot, sequence.Prompt, request.Sampling, request.Mode, sequence.Blocks, request.MaxTokens,
                request.IgnoreEos));
        }
        List<SlotWork> work = Rows(lane);
        if (work.Count == 0) return null;
        _runs = _runs.Offer(lane);
        var delta = new BatchDelta(epoch, replica, ++_version, lane, joins, [.. _leaves[lane]], work);
        _leaves[lane].Clear();
        return delta;
    }

    /// <summary>
    /// A result has come. What it means for its lane is settled here; its tokens come next, and then <see cref="Settle"/>.
    /// </summary>
    public LaneNews On(StepResult result)
    {
        (_runs, LaneNews news) = _runs.On(result);
        return news;
    }

    /// <summary>A sequence of a lane, not yet ended, that was only to be scored and whose prompt the step in hand completes.</summary>
    public Sequence? Scored(int lane)
    {
        for (int slot = First(lane); slot < First(lane + 1); slot++)
        {
            if (_slots[slot] is { Ending: null, InFlight: > 0, Request.Mode: SequenceMode.Score } sequence
                && sequence.Computed + sequence.InFlight >= sequence.Prompt.Length) return sequence;
        }
        return null;
    }

    /// <summary>The result's tokens were taken: its rows are computed, and what goes on brings one more row.</summary>
    public void Settle(StepResult result, LaneNews news)
    {
        if (news == LaneNews.Freed) Completed(result.Lane);
        if (news != LaneNews.GoesOn) return;
        for (int slot = First(result.Lane); slot < First(result.Lane + 1); slot++)
        {
            if (_slots[slot] is not { InFlight: > 0 } sequence) continue;
            sequence.Computed += sequence.InFlight;
            // The last stage ended it, or stage 0 brings no more rows of it, as it was told.
            if (sequence.Ending is not null && !GoesOn(result.Tokens, slot)) Release(sequence);
            else sequence.InFlight = 1;
        }
    }

    /// <summary>The lease has ended: the lanes whose last result is here are free.</summary>
    public IReadOnlyList<int> On(LeaseEnded ended)
    {
        (_runs, var freed) = _runs.On(ended);
        foreach (int lane in freed)
        {
            // The step that would have come next does not.
            for (int slot = First(lane); slot < First(lane + 1); slot++)
                if (_slots[slot] is { } sequence) sequence.InFlight = 0;
            Completed(lane);
        }
        return freed;
    }

    /// <summary>
    /// What stage 0 is to hear about the lease, if anything is new: which of its slots end, and whether to leave it for a request that
    /// could be admitted.
    /// </summary>
    public LeaseNote? Note()
    {
        if (_runs.Lease is not { Value: > 0 } lease) return null;
        int[] ends = [.. Enumerable.Range(0, _slots.Length)
            .Where(slot => _slots[slot] is { Ending: not null, EndTold: false } && _runs.Lanes[slot / PerLane] is LaneRun.Leased)];
        foreach (int slot in ends) _slots[slot]!.EndTold = true;
        bool leave = _leaveAsked != lease && MayAdmit;
        if (leave) _leaveAsked = lease;
        return ends.Length > 0 || leave ? new LeaseNote(epoch, lease, ends, leave) : null;
    }

    /// <summary>A lane's step has ended: its rows are computed. Sequences that were to end give back what they hold.</summary>
    public void Completed(int lane)
    {
        _runs = _runs.Free(lane);
        for (int slot = First(lane); slot < First(lane + 1); slot++)
        {
            if (_slots[slot] is not { } sequence) continue;
            sequence.Computed += sequence.InFlight;
            sequence.InFlight = 0;
            if (sequence.Ending is not null) Release(sequence);
        }
    }

    /// <summary>Ends a request: at once where it is not in a running step, else when that step ends.</summary>
    public void End(Sequence sequence, string reason)
    {
        sequence.Ending ??= reason;
        if (sequence.Slot < 0) _queue.Remove(sequence);
        else if (sequence.InFlight == 0) Release(sequence);
    }

    /// <summary>Whether the oldest request would be let in if every lane were free.</summary>
    private bool MayAdmit => _queue.First is { Value: { } sequence } && _slots.Contains(null)
        && _blocks.BlocksFor(Positions(sequence)) <= _blocks.Free;

    private static bool GoesOn(IReadOnlyList<SlotToken> tokens, int slot)
    {
        for (int i = 0; i < tokens.Count; i++)
            if (tokens[i].Slot == slot) return tokens[i].End == TokenEnd.GoesOn;
        return false;
    }

    private int PerLane => sizes.MaxRunning / sizes.Lanes;

    private int First(int lane) => lane * PerLane;

    private int Count(int lane) => _slots.AsSpan(First(lane), PerLane).ToArray().Count(s => s is not null);

    /// <summary>KV positions that a request can ever need.</summary>
    private static int Positions(Sequence sequence) =>
        sequence.Prompt.Length + (sequence.Request.Mode == SequenceMode.Score ? 0 : sequence.Request.MaxTokens);

    /// <summary>
    /// Lets the oldest request in if this lane has the fewest sequences and there are a slot and blocks. No request overtakes another.
    /// </summary>
    private Sequence? TryAdmit(int lane)
    {
        if (_queue.First is not { Value: { } sequence }) return null;
        int mine = Count(lane);
        if (mine >= PerLane) return null;
        for (int other = 0; other < sizes.Lanes; other++)
            if (Count(other) < mine) return null;
        if (_blocks.Reserve(Positions(sequence)) is not { } reserved) return null;
        _blocks = reserved.Rest;
        _queue.RemoveFirst();
        int slot = Array.IndexOf(_slots, null, First(lane), PerLane);
        (sequence.Slot, sequence.Blocks, _slots[slot]) = (slot, [.. reserved.Blocks], sequence);
        return sequence;
    }

    private List<SlotWork> Rows(int lane)
    {
        var work = new List<SlotWork>();
        int left = sizes.MaxRows;
        foreach (bool decode in (ReadOnlySpan<bool>)[true, false])
        {
            for (int slot = First(lane); slot < First(lane + 1) && left > 0; slot++)
            {
                if (_slots[slot] is not { Ending: null, InFlight: 0 } sequence || sequence.Generated.Count > 0 != decode) continue;
                int rows = Math.Min(left, sequence.Known - sequence.Computed);
                if (rows < 1) continue;
                sequence.InFlight = rows;
                left -= rows;
                work.Add(new SlotWork(slot, rows));
            }
        }
        return work;
    }

    private void Release(Sequence sequence)
    {
        _slots[sequence.Slot] = null;
        _blocks = _blocks.Release(sequence.Blocks);
        int lane = sequence.Slot / PerLane;
        _leaves[lane].Add(sequence.Slot);
        (sequence.Slot, sequence.Blocks) = (-1, []);
    }
}
