using System.Collections.Concurrent;
using Akka.Actor;

namespace Akka.Event;

/// <summary>Publish and subscribe inside one system, by type: a subscriber of a class or interface gets everything that is one.</summary>
public class EventStream
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<Type, IActorRef[]> _receivers = new();
    private volatile (IActorRef Subscriber, Type Channel)[] _subscriptions = [];

    internal EventStream()
    {
    }

    /// <summary>Events below it are not even made.</summary>
    internal LogLevel LogLevel { get; set; } = LogLevel.InfoLevel;

    /// <summary>False when there was already such a subscription.</summary>
    public bool Subscribe(IActorRef subscriber, Type channel)
    {
        ArgumentNullException.ThrowIfNull(subscriber);
        ArgumentNullException.ThrowIfNull(channel);
        lock (_gate)
        {
            if (_subscriptions.Any(s => s.Channel == channel && s.Subscriber.Equals(subscriber))) return false;
            Replace([.. _subscriptions, (subscriber, channel)]);
            return true;
        }
    }

    /// <summary>False when there was none.</summary>
    public bool Unsubscribe(IActorRef subscriber, Type channel) => Remove(s => s.Channel == channel && s.Subscriber.Equals(subscriber));

    /// <summary>Ends all of them. False when there was none.</summary>
    public bool Unsubscribe(IActorRef subscriber) => Remove(s => s.Subscriber.Equals(subscriber));

    public void Publish(object @event)
    {
        ArgumentNullException.ThrowIfNull(@event);
        if (!_receivers.TryGetValue(@event.GetType(), out var receivers)) receivers = FindReceivers(@event.GetType());
        foreach (var receiver in receivers) receiver.Tell(@event, null);
    }

    private IActorRef[] FindReceivers(Type type)
    {
        lock (_gate)
        {
            var found = _subscriptions.Where(s => s.Channel.IsAssignableFrom(type)).Select(s => s.Subscriber).Distinct().ToArray();
            return _receivers[type] = found;
        }
    }

    private bool Remove(Predicate<(IActorRef Subscriber, Type Channel)> which)
    {
        if (!Array.Exists(_subscriptions, which)) return false;
        lock (_gate)
        {
            var kept = Array.FindAll(_subscriptions, s => !which(s));
            bool removed = kept.Length < _subscriptions.Length;
            if (removed) Replace(kept);
            return removed;
        }
    }

    private void Replace((IActorRef, Type)[] subscriptions)
    {
        _subscriptions = subscriptions;
        _receivers.Clear();
    }
}
