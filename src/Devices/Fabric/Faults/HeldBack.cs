using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric.Faults;

/// <summary>
/// The Puts and Notifies that a faulty fabric keeps for later, with copies of their bytes. What is sent to one peer keeps its order, so
/// everything behind something that is held is held too; only Puts between two Notifies may be shuffled.
/// </summary>
internal sealed class HeldBack(IFabric inner)
{
    private readonly List<Operation> _queue = [];
    private readonly List<(RankId Peer, Random Order, List<Operation> Puts)> _shuffled = [];
    private long _operations;

    /// <summary>Whether anything waits for a call or a time to come. Shuffled Puts wait for their Notify only.</summary>
    public bool Any => _queue.Count > 0;

    /// <summary>Whether a Put or Notify to this peer must come here instead of going out.</summary>
    public bool Takes(RankId peer) => IsQueued(peer) || IndexOfShuffled(peer) >= 0;

    public void Put(RankId peer, Region region, ReadOnlySpan<byte> source, Until until = default)
    {
        if (inner.Local(region).Length != source.Length) Bounds.ThrowLength(region, source.Length); // regions are the same on all ranks
        var put = new Operation(peer, region, source.ToArray(), Flag: -1, Value: 0, Counted(until));
        int at = IndexOfShuffled(peer);
        if (at >= 0) _shuffled[at].Puts.Add(put);
        else _queue.Add(put);
    }

    public void Notify(RankId peer, int flag, ulong value, Until until = default)
    {
        inner.Peek(peer, flag); // refuses a flag that is none
        int at = IndexOfShuffled(peer);
        if (at >= 0)
        {
            var (_, order, puts) = _shuffled[at];
            _shuffled.RemoveAt(at);
            Operation[] inOrder = [.. puts];
            order.Shuffle(inOrder);
            foreach (var put in inOrder) SendOrQueue(put);
        }
        SendOrQueue(new Operation(peer, default, [], flag, value, Counted(until)));
    }

    /// <summary>From here on, until the next Notify, Puts to this peer are shuffled.</summary>
    public void Shuffle(RankId peer, int seed)
    {
        if (IndexOfShuffled(peer) < 0) _shuffled.Add((peer, new Random(seed), []));
    }

    /// <summary>Counts a call, and sends what is due.</summary>
    public void Count()
    {
        _operations++;
        if (_queue.Count > 0) Release(operation => operation.Until.IsDue(_operations));
    }

    /// <summary>Sends what waits for calls to come.</summary>
    public void ReleaseCounted() => Release(operation => operation.Until.Time is null || operation.Until.IsDue(_operations));

    /// <summary>Sends everything.</summary>
    public void ReleaseAll()
    {
        Release(_ => true);
        foreach (var (_, _, puts) in _shuffled)
            foreach (var put in puts) Send(put);
        _shuffled.Clear();
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        _queue.Clear();
        _shuffled.Clear();
    }

    private bool IsQueued(RankId peer)
    {
        foreach (var held in _queue)
            if (held.Peer == peer) return true;
        return false;
    }

    private int IndexOfShuffled(RankId peer)
    {
        for (int i = 0; i < _shuffled.Count; i++)
            if (_shuffled[i].Peer == peer) return i;
        return -1;
    }

    /// <summary>The call that comes after so many later ones finds it due.</summary>
    private Until Counted(Until until) => until.Operations == 0 ? until : until with { Operations = _operations + until.Operations + 1 };

    private void SendOrQueue(Operation operation)
    {
        if (IsQueued(operation.Peer) || !operation.Until.IsDue(_operations)) _queue.Add(operation);
        else Send(operation);
    }

    private void Release(Func<Operation, bool> isDue)
    {
        var stalled = new HashSet<RankId>();
        Operation[] held = [.. _queue];
        _queue.Clear();
        foreach (var operation in held)
        {
            if (!stalled.Contains(operation.Peer) && isDue(operation))
            {
                Send(operation);
                continue;
            }
            stalled.Add(operation.Peer);
            _queue.Add(operation);
        }
    }

    private void Send(Operation operation)
    {
        if (operation.Flag < 0) inner.Put(operation.Peer, operation.Region, operation.Bytes);
        else inner.Notify(operation.Peer, operation.Flag, operation.Value);
    }

    private sealed record Operation(RankId Peer, Region Region, byte[] Bytes, int Flag, ulong Value, Until Until);

    /// <summary>How long something is held: until so many calls were made, and, where there is one, a time has passed.</summary>
    public readonly record struct Until(long Operations, Deadline? Time = null)
    {
        public bool IsDue(long operations) => operations >= Operations && Time is not { Passed: false };
    }
}
