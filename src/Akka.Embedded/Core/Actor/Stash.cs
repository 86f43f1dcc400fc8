namespace Akka.Actor;

public interface IStash
{
    /// <summary>Keeps the message in hand, with its sender.</summary>
    void Stash();

    /// <summary>Puts the oldest back to the front of the mailbox.</summary>
    void Unstash();

    /// <summary>Puts all back to the front of the mailbox, in the order of stashing.</summary>
    void UnstashAll();

    void UnstashAll(Func<Envelope, bool> predicate);
    void Prepend(IEnumerable<Envelope> envelopes);
    IEnumerable<Envelope> ClearStash();
    int Count { get; }
    int Capacity { get; }
    bool IsEmpty { get; }
    bool NonEmpty { get; }
    bool IsFull { get; }
}

public interface IActorStash
{
    IStash Stash { get; set; }
}

/// <summary>A stash bounded by Props.WithStashCapacity or the configuration. It is set after the constructor.</summary>
public interface IWithStash : IActorStash;

/// <summary>A stash without a bound. It is set after the constructor.</summary>
public interface IWithUnboundedStash : IActorStash;

internal sealed class StashBuffer(ActorCell cell, int capacity) : IStash
{
    private readonly List<Envelope> _kept = [];
    private long _lastStashed = -1;

    public int Count => _kept.Count;
    public int Capacity { get; } = capacity <= 0 ? -1 : capacity;
    public bool IsEmpty => _kept.Count == 0;
    public bool NonEmpty => _kept.Count > 0;
    public bool IsFull => Capacity >= 0 && _kept.Count >= Capacity;

    public void Stash()
    {
        var envelope = cell.CurrentEnvelope;
        if (envelope.Message is null) throw new IllegalActorStateException("there is no message to stash");
        if (_lastStashed == cell.MessageNumber)
            throw new IllegalActorStateException($"Can't stash the same message {envelope.Message.GetType()} more than once");
        if (IsFull)
            throw new StashOverflowException($"Couldn't enqueue message from {envelope.Sender} to stash of {cell.Self}: it holds {Count}");
        _lastStashed = cell.MessageNumber;
        _kept.Add(envelope);
    }

    public void Unstash()
    {
        if (IsEmpty) return;
        cell.Prepend([_kept[0]]);
        _kept.RemoveAt(0);
    }

    public void UnstashAll() => cell.Prepend([.. ClearStash()]);

    public void UnstashAll(Func<Envelope, bool> predicate) => cell.Prepend([.. ClearStash().Where(predicate)]);

    /// <summary>Into the stash, before what it holds.</summary>
    public void Prepend(IEnumerable<Envelope> envelopes) => _kept.InsertRange(0, envelopes);

    public IEnumerable<Envelope> ClearStash()
    {
        Envelope[] all = [.. _kept];
        _kept.Clear();
        return all;
    }
}
