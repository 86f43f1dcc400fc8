using Akka.Event;

namespace Akka.Actor;

public delegate bool Receive(object message);

/// <summary>What an actor sees of its system, and does to it. Usable only on the actor's own turn.</summary>
public interface IActorContext : IActorRefFactory, ICanWatch
{
    IActorRef Self { get; }

    /// <summary>Who sent the message in hand; DeadLetters when nobody did.</summary>
    IActorRef Sender { get; }

    IActorRef Parent { get; }
    Props Props { get; }
    ActorSystem System { get; }
    TimeSpan? ReceiveTimeout { get; }
    void SetReceiveTimeout(TimeSpan? timeout);

    /// <summary>Nobody when there is no such child.</summary>
    IActorRef Child(string name);

    IEnumerable<IActorRef> GetChildren();
    void Stop(IActorRef child);
    void Become(Receive receive);
    void BecomeStacked(Receive receive);
    void UnbecomeStacked();
}

/// <summary>
/// One actor through all its incarnations. Everything but <see cref="Tell"/>, <see cref="Send"/> and the children runs on its turns,
/// which never overlap. Parts: mailbox, life, children, watching, tasks.
/// </summary>
internal sealed partial class ActorCell : IActorContext, IThreadPoolWorkItem
{
    [ThreadStatic] private static ActorCell t_current;

    private readonly ActorSystemImpl _system;
    private readonly InternalActorRef _parent;
    private readonly Dispatcher _dispatcher;
    private readonly LocalActorRef _self;
    private readonly Stack<Receive> _outerBehaviors = new(0);
    private ActorBase _actor;
    private Receive _behavior;
    private bool _creating;
    private ActorTimers _timers;

    internal ActorCell(ActorSystemImpl system, LocalActorRef self, InternalActorRef parent, Props props) =>
        (_system, _self, _parent, Props, _dispatcher) = (system, self, parent, props, system.DispatcherOf(props.Dispatcher));

    /// <summary>The actor that has its turn on this thread, or null.</summary>
    internal static ActorCell Current => t_current;

    public IActorRef Self => _self;
    public IActorRef Sender => _current.Sender ?? _system.DeadLetters;
    public IActorRef Parent => _parent;
    public Props Props { get; }
    public ActorSystem System => _system;
    internal ActorSystemImpl SystemImpl => _system;
    internal InternalActorRef ParentRef => _parent;

    /// <summary>True once, for the constructor of the actor that this cell is making.</summary>
    internal bool TryBegin(ActorBase actor)
    {
        if (!_creating) return false;
        _creating = false;
        _behavior = actor.Entry;
        return true;
    }

    /// <summary>Made when the actor's class asks for timers.</summary>
    internal ActorTimers Timers => _timers ??= new ActorTimers(this);

    public ActorSelection ActorSelection(string actorPath) => Actor.ActorSelection.From(_self, actorPath);
    public ActorSelection ActorSelection(ActorPath actorPath) => _system.ActorSelection(actorPath);

    /// <summary>Replaces the behaviour, but never the first one: UnbecomeStacked gets back to that.</summary>
    public void Become(Receive receive)
    {
        ArgumentNullException.ThrowIfNull(receive);
        if (_outerBehaviors.Count == 0) _outerBehaviors.Push(_behavior);
        _behavior = receive;
    }

    public void BecomeStacked(Receive receive)
    {
        ArgumentNullException.ThrowIfNull(receive);
        _outerBehaviors.Push(_behavior);
        _behavior = receive;
    }

    public void UnbecomeStacked()
    {
        if (_outerBehaviors.TryPop(out var outer)) _behavior = outer;
    }

    public void Stop(IActorRef child) => StopRef((InternalActorRef)child);

    private void ReceiveUser(object message)
    {
        if (!_behavior(message)) _actor.HandleUnhandled(message);
    }

    private void AutoReceive(object message)
    {
        switch (message)
        {
            case PoisonPill:
                _self.Stop();
                break;
            case Kill:
                throw new ActorKilledException("Kill");
            case Identify identify:
                Sender.Tell(new ActorIdentity(identify.MessageId, _self), _self);
                break;
            case Terminated terminated:
                ReceiveTerminated(terminated);
                break;
            case TimerMessage timer:
                if (_timers is null || !_timers.Accepts(timer)) break;
                _current = new Envelope(timer.Message, _current.Sender);
                if (timer.Message is IAutoReceivedMessage) AutoReceive(timer.Message);
                else ReceiveUser(timer.Message);
                break;
            case ReceiveTimeoutCheck check:
                CheckReceiveTimeout(check);
                break;
            default:
                ReceiveUser(message);
                break;
        }
    }

    internal void LogError(Exception cause, string message) => _system.ReportError(cause, _self.Path.ToString(), Props.Type, message);
}
