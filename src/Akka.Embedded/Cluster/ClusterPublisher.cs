using Akka.Actor;
using Akka.Event;

namespace Akka.Cluster;

/// <summary>Subscribers and callbacks of one node. Used by its daemon alone, on the daemon's turn.</summary>
internal sealed class ClusterPublisher(Cluster cluster, IActorContext context)
{
    private readonly EventStream _events = new();
    private readonly List<Action> _onUp = [], _onRemoved = [];
    private Gossip _published = Gossip.Empty;

    public void Publish(Gossip before, Gossip after)
    {
        _published = after;
        cluster.View = ClusterEvents.Snapshot(after, cluster.SelfUniqueAddress);
        foreach (var happened in ClusterEvents.Between(before, after, cluster.SelfUniqueAddress)) _events.Publish(happened);
        if (cluster.IsUp) RunAll(_onUp);
    }

    /// <summary>The last words: everybody is removed, as far as this node is concerned.</summary>
    public void End(Gossip last)
    {
        cluster.NoteTerminated();
        Publish(last, Gossip.Empty);
        RunAll(_onRemoved);
    }

    public void OnUp(Action callback)
    {
        _onUp.Add(callback);
        if (cluster.IsUp) RunAll(_onUp);
    }

    public void OnRemoved(Action callback) => _onRemoved.Add(callback);

    public void Subscribe(IActorRef subscriber, ClusterEvent.SubscriptionInitialStateMode mode, Type[] types)
    {
        if (mode == ClusterEvent.SubscriptionInitialStateMode.InitialStateAsSnapshot) SendState(subscriber);
        else
        {
            foreach (var happened in ClusterEvents.Between(Gossip.Empty, _published, cluster.SelfUniqueAddress))
            {
                if (types.Any(type => type.IsInstanceOfType(happened))) subscriber.Tell(happened);
            }
        }
        foreach (var type in types) _events.Subscribe(subscriber, type);
        context.Watch(subscriber);
    }

    public void SendState(IActorRef receiver) =>
        receiver.Tell(ClusterEvents.Snapshot(_published, cluster.SelfUniqueAddress), ActorRefs.NoSender);

    /// <summary>From events of that type; null: from all.</summary>
    public void Unsubscribe(IActorRef subscriber, Type type)
    {
        if (type is null) _events.Unsubscribe(subscriber);
        else _events.Unsubscribe(subscriber, type);
    }

    private void RunAll(List<Action> callbacks)
    {
        Action[] now = [.. callbacks];
        callbacks.Clear();
        foreach (var callback in now)
        {
            try
            {
                callback();
            }
            catch (Exception e)
            {
                // Somebody else's code: it must not end the cluster.
                context.System.Log.Error(e, "a callback of the cluster failed");
            }
        }
    }
}
