using System.Collections.Immutable;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Tests.Leases;

/// <summary>A deliberate mistake, to show that the explorer finds it.</summary>
internal enum Mistake
{
    None,

    /// <summary>A later stage leaves before the step that brought the verdict.</summary>
    LeavesEarly,

    /// <summary>A later stage does not hear the verdict.</summary>
    MissesVerdict,

    /// <summary>A rank of stage 0 heeds only its own bit.</summary>
    HeedsOnlyItself,

    /// <summary>A scheduler offers a lane that goes on by itself.</summary>
    OffersUnderLease,

    /// <summary>The router forgets that it granted a lease, and plans on.</summary>
    RouterForgets,

    /// <summary>The last stage says nothing when a lane runs dry.</summary>
    SilentWhenDry,

    /// <summary>Stage 0 lends every slot it holds, also those that a scheduler gave up without a batch to say so.</summary>
    KeepsGivenUp,

    /// <summary>A rank applies a note whatever lease it is about.</summary>
    AnyNote,
}

/// <summary>A small world: its layout, its requests by replica, and whether a rank may be lost.</summary>
internal sealed record LeaseSetup(int Stages, int Replicas, int Lanes, int PerLane, int LeaseSteps, Wish[][] Wishes)
{
    public bool MayLose { get; init; }

    public Mistake Mistake { get; init; }
}

/// <summary>The protocol was broken.</summary>
internal sealed class LeaseViolation(string message) : Exception(message);

/// <summary>
/// A whole small cluster with every message and every word on the fabric as a value, made of the states that the product runs. An action
/// changes a copy. Actions that only make others possible, and that nothing else can change (a plan or batch that reaches its stage, the
/// end of a step, a step of a later stage), are taken at once where <c>reduce</c>: in whatever order, the same states follow.
/// </summary>
internal sealed partial class LeaseWorld
{
    private readonly Dictionary<string, ImmutableQueue<ProtocolMessage>> _wires = new(StringComparer.Ordinal);
    private readonly Dictionary<(int Stage, int Replica, int Lane), (StepId Step, LeaseVerdict Verdict, int[] Slots)> _links = [];
    private readonly Dictionary<(int Replica, int Lane), (StepId Step, int[] Ended)> _rings = [];
    private readonly LeaseRank[] _ranks;
    private readonly LeaseScheduler[] _schedulers;
    private RouterState _router;

    public LeaseWorld(LeaseSetup setup)
    {
        Setup = setup;
        _ranks = [.. Enumerable.Range(0, setup.Stages * setup.Replicas).Select(i =>
            new LeaseRank(i / setup.Replicas, i % setup.Replicas, setup.Lanes * setup.PerLane, setup.Lanes))];
        _schedulers = [.. setup.Wishes.Select((wishes, r) => new LeaseScheduler(r, setup.Lanes, setup.PerLane, wishes))];
        _router = RouterState.Start(Epoch, setup.Replicas, setup.Lanes, new Selector(CostModel.Guess, SelectorRules.Default),
            new StepShape(setup.Replicas, 0, 0, 8, 1, 4, 1), setup.LeaseSteps);
    }

    private LeaseWorld(LeaseWorld from)
    {
        Setup = from.Setup;
        foreach (var (name, queue) in from._wires) _wires.Add(name, queue);
        foreach (var (at, link) in from._links) _links.Add(at, link);
        foreach (var (at, ring) in from._rings) _rings.Add(at, ring);
        (_ranks, _schedulers) = ([.. from._ranks.Select(r => r.Copy())], [.. from._schedulers.Select(s => s.Copy())]);
        (_router, Lost, Aborted, LeasedSteps, LeavesAsked) = (from._router, from.Lost, from.Aborted, from.LeasedSteps, from.LeavesAsked);
    }

    public LeaseSetup Setup { get; }

    public Epoch Epoch { get; } = new(1);

    public int Lost { get; private set; } = -1;

    public bool Aborted { get; private set; }

    /// <summary>Steps that ran under a lease, and how often somebody asked to leave one.</summary>
    public int LeasedSteps { get; private set; }

    public int LeavesAsked { get; private set; }

    /// <summary>Every request served, every lane free, no lease and no message left.</summary>
    public bool Finished => _schedulers.All(s => s.IsDone) && _router.Lease is null && _wires.Values.All(q => q.IsEmpty)
        && _ranks.All(r => r is { Doing: null, Queue.Count: 0, Lease.IsOn: false });

    public LeaseWorld Copy() => new(this);

    /// <summary>A message from a scheduler: batches reach their stages at once, the rest waits for its delivery.</summary>
    public void Send(ProtocolMessage message, int replica)
    {
        if (message is BatchDelta delta)
        {
            foreach (LeaseRank rank in _ranks.Where(r => r.Replica == replica)) rank.Deliver(rank.Steps.On(delta));
            return;
        }
        if (message is LeaseNote { Leave: true }) LeavesAsked++;
        Put(message is LeaseNote ? $"note {replica}" : $"offer {replica}", message);
    }

    /// <summary>What may happen next; one alone where it changes nothing to take it first.</summary>
    public List<(string Name, Action<LeaseWorld> Act)> Actions(bool reduce)
    {
        var actions = new List<(string, Action<LeaseWorld>)>();
        if (Aborted) return actions;
        for (int i = 0; i < _ranks.Length; i++)
        {
            int rank = i;
            if (i == Lost) continue;
            if (_ranks[i].Doing is not null && AllSpoke(_ranks[i]))
                actions.Add(($"rank {i} ends its step", w => w.EndStep(w._ranks[rank])));
            else if (_ranks[i].Stage > 0 && MayBegin(_ranks[i])) actions.Add(($"rank {i} begins", w => w.Begin(w._ranks[rank])));
            if (reduce && actions.Count > 0) return actions;
        }
        for (int i = 0; i < Setup.Replicas; i++)
        {
            int rank = i;
            if (i != Lost && MayBegin(_ranks[i])) actions.Add(($"rank {i} begins", w => w.Begin(w._ranks[rank])));
            if (_schedulers[i].Came < _schedulers[i].Wishes.Length)
                actions.Add(($"a request comes to replica {i}", w => w._schedulers[rank].OnArrival(w)));
        }
        foreach (var (name, queue) in _wires)
            if (!queue.IsEmpty) actions.Add(($"{name}: {Brief(queue.Peek())}", w => w.Take(name)));
        if (Lost >= 0) actions.Add(("abort", w => w.Aborted = true));
        else if (Setup.MayLose) actions.AddRange(Enumerable.Range(0, _ranks.Length).Select(i =>
            ($"rank {i} is lost", (Action<LeaseWorld>)(w => w.Lost = i))));
        return actions;
    }

    public UInt128 Key()
    {
        var key = new List<long> { Lost, Aborted ? 1 : 0, _router.Next.Value, _router.Lease?.Grant.First.Value ?? 0,
            _router.Lease?.LeaveAsked == true ? 1 : 0 };
        foreach (LaneState lane in _router.Lanes)
        {
            key.AddRange([lane.Last.Value, (long)lane.Kind]);
            foreach (LaneShare share in lane.Shares)
            {
                key.Add(share is LaneShare.Offered o ? 10 + (o.Version * 256) + (o.Rows * 4) + (long)o.Kind
                    : share is LaneShare.Running ? 1 : 0);
            }
        }
        foreach (LeaseRank rank in _ranks) rank.Write(key);
        foreach (LeaseScheduler scheduler in _schedulers) scheduler.Write(key);
        foreach (var (name, queue) in _wires.OrderBy(w => w.Key, StringComparer.Ordinal))
        {
            if (queue.IsEmpty) continue;
            foreach (char c in name) key.Add(c);
            foreach (ProtocolMessage message in queue) Write(message, key);
        }
        foreach (var (at, link) in _links.OrderBy(l => l.Key))
        {
            key.AddRange([at.Stage, at.Replica, at.Lane, link.Step.Value, (long)link.Verdict]);
            key.AddRange(link.Slots.Select(s => (long)s));
        }
        foreach (var (at, ring) in _rings.OrderBy(r => r.Key))
        {
            key.AddRange([at.Replica, at.Lane, ring.Step.Value]);
            key.AddRange(ring.Ended.Select(s => (long)s));
        }
        UInt128 hash = ((UInt128)14695981039346656037 << 64) | 0x9E3779B97F4A7C15;
        foreach (long value in key)
        {
            hash ^= (ulong)value;
            hash *= ((UInt128)0x0000000001000000 << 64) | 0x000000000000013B; // FNV-1a with its 128-bit prime
            hash ^= hash >> 61;
        }
        return hash;
    }

    /// <summary>
    /// With a lost rank and nothing left to do, whoever waits waits for it: themselves, or through others. Nobody waits in a circle.
    /// </summary>
    public void CheckWaits()
    {
        var waits = _ranks.Select((r, i) => (Rank: i, For: i == Lost ? [] : WaitsFor(r))).ToDictionary(w => w.Rank, w => w.For);
        foreach (int rank in waits.Keys.Where(r => waits[r].Count > 0))
        {
            var seen = new HashSet<int>();
            var open = new Queue<int>([rank]);
            while (open.TryDequeue(out int at)) foreach (int next in waits[at]) if (seen.Add(next)) open.Enqueue(next);
            if (!seen.Contains(Lost)) throw new LeaseViolation($"rank {rank} waits, but not for the lost rank {Lost}");
            if (seen.Contains(rank)) throw new LeaseViolation($"rank {rank} waits for itself");
        }
    }

    public override string ToString() => $"router next {_router.Next}, lease {_router.Lease?.Grant.First.Value}; " + string.Join("; ",
        _ranks.Select((r, i) => $"rank {i}: "
            + (r.Doing is { } d ? $"in {d.At.Step}" : r.Lease.IsOn ? $"leased, next {r.Lease.Walk!.Step}" : "planned")
            + $", {r.Queue.Count} steps wait")) + "; " + string.Join("; ",
        _schedulers.Select((s, i) => $"replica {i}: {s.Finished} of {s.Wishes.Length} done, {string.Join(", ", s.Runs.Lanes)}"))
        + "; " + string.Join("; ", _wires.Where(w => !w.Value.IsEmpty).Select(w => $"{w.Key} {w.Value.Count()}"));

    private static string Brief(ProtocolMessage message) => message switch
    {
        StepOffer o => $"offer lane {o.Lane} rows {o.Rows} {o.Kind} v{o.Version}",
        LeaseNote n => $"note {n.Step.Value} {n.Leave} [{string.Join(",", n.Ends)}]",
        StepResult r => $"result {r.Step.Value} lease {r.Lease.Value} [{string.Join(",", r.Tokens.Select(t => $"{t.Slot}{t.End}"))}]",
        LeaseEnded e => $"ended {e.First.Value}-{e.Step.Value}",
        _ => message.GetType().Name,
    };

    private static void Write(ProtocolMessage message, List<long> key)
    {
        key.Add(message.Step.Value);
        if (message is StepOffer o) key.AddRange([1, o.Lane, o.Rows, (long)o.Kind, o.Version]);
        else if (message is LeaseNote n) key.AddRange([2, n.Leave ? 1 : 0, .. n.Ends.Select(e => (long)e)]);
        else if (message is StepResult r) key.AddRange([3, r.Lane, r.Lease.Value, .. r.Tokens.Select(t => (t.Slot * 4) + (long)t.End)]);
        else if (message is LeaseEnded e) key.AddRange([4, e.First.Value, .. e.Lasts.Select(l => l.Value)]);
    }

    private void Put(string wire, ProtocolMessage message) => _wires[wire] = _wires.GetValueOrDefault(wire, []).Enqueue(message);
}
