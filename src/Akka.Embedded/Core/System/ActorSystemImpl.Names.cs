using System.Collections.Concurrent;
using Akka.Event;

namespace Akka.Actor;

/// <summary>Paths, references and what configuration says about them; dead letters.</summary>
internal sealed partial class ActorSystemImpl : IActorRefProvider
{
    private readonly ConcurrentDictionary<string, InternalActorRef> _temporary = new(StringComparer.Ordinal);
    private Serialization.Serialization _serialization;
    private Address _defaultAddress;
    private long _lastTemporary;
    private int _deadLetters;
    private int _deadLettersToLog;
    private bool _logDuringShutdown;
    private TimeSpan _suspendLog;
    private TimeSpan? _logAgainAt;

    internal ActorPath RootPath { get; }
    public Address DefaultAddress => _defaultAddress ?? LocalAddress;

    /// <summary>akka://NAME</summary>
    internal Address LocalAddress { get; }

    internal RootRef Root { get; }

    internal long NextUid() => Interlocked.Increment(ref _lastUid) & int.MaxValue | 1L << 31;

    public override IActorRef ActorOf(Props props, string name = null) => Root.User.Cell.ActorOf(props, name);
    public override IActorRef SystemActorOf(Props props, string name = null) => Root.SystemGuardian.Cell.ActorOf(props, name);
    public override void Stop(IActorRef actor) => ((InternalActorRef)actor).Stop();
    public override ActorSelection ActorSelection(string actorPath) => Actor.ActorSelection.From(Root, actorPath);
    public override ActorSelection ActorSelection(ActorPath actorPath) => Actor.ActorSelection.From(this, actorPath);

    /// <summary>Ours, with or without host and port.</summary>
    internal bool IsLocal(Address address) => address == LocalAddress || address == _defaultAddress;

    /// <summary>/user/a#1, or the same with an address. What is not here (any more) gives a reference that says so.</summary>
    public IActorRef ResolveActorRef(string path) =>
        ActorPath.TryParse(path.StartsWith('/') ? LocalAddress + path : path, out var parsed) ? ResolveActorRef(parsed) : DeadLetters;

    internal IActorRef ResolveActorRef(ActorPath actorPath)
    {
        if (IsLocal(actorPath.Address)) return ResolveLocal(actorPath);
        return Transport is null ? new EmptyActorRef(this, actorPath) : Transport.RefFor(actorPath);
    }

    private InternalActorRef ResolveLocal(ActorPath path)
    {
        InternalActorRef at = Root;
        foreach (string name in path.Elements)
        {
            at = at.GetChild(name);
            if (at is null) break;
        }
        return at is not null && (path.Uid == 0 || path.Uid == at.Path.Uid) ? at
            : new EmptyActorRef(this, path.Elements.Aggregate(RootPath, (up, name) => up / name).WithUid(path.Uid));
    }

    internal InternalActorRef FindTemporary(string name) => _temporary.GetValueOrDefault(name);

    internal ActorPath RegisterTemporary(InternalActorRef temporary)
    {
        string name = $"${Interlocked.Increment(ref _lastTemporary):x}";
        _temporary[name] = temporary;
        return Root.TemporaryPath / name;
    }

    internal void UnregisterTemporary(ActorPath path) => _temporary.TryRemove(path.Name, out _);

    private void ReadDeadLetterSettings()
    {
        var config = Settings.Config;
        _deadLettersToLog = config.GetString("akka.log-dead-letters") switch
        {
            "off" or "false" => 0,
            "on" or "true" => int.MaxValue,
            _ => config.GetInt("akka.log-dead-letters"),
        };
        _logDuringShutdown = config.GetBoolean("akka.log-dead-letters-during-shutdown");
        _suspendLog = config.GetTimeSpan("akka.log-dead-letters-suspend-duration");
    }

    internal void PublishDeadLetter(object message, IActorRef sender, IActorRef recipient)
    {
        sender ??= DeadLetters;
        if (message is AllDeadLetters known) EventStream.Publish(known);
        else if (message is IDeadLetterSuppression suppressed) EventStream.Publish(new SuppressedDeadLetter(suppressed, sender, recipient));
        else
        {
            EventStream.Publish(new DeadLetter(message, sender, recipient));
            LogDeadLetter(message, sender, recipient);
        }
    }

    private void LogDeadLetter(object message, IActorRef sender, IActorRef recipient)
    {
        if (_deadLettersToLog == 0 || (IsTerminating && !_logDuringShutdown)) return;
        if (_logAgainAt is { } again && _suspendLog > TimeSpan.Zero && Scheduler.MonotonicClock >= again)
            (_logAgainAt, _deadLetters) = (null, 0);
        int count = Interlocked.Increment(ref _deadLetters);
        if (count > _deadLettersToLog) return;
        string last = count == _deadLettersToLog ? ", no more dead letters will be logged for now" : "";
        if (count == _deadLettersToLog) _logAgainAt = Scheduler.MonotonicClock + _suspendLog;
        Log.Info("Message [{0}] from {1} to {2} was not delivered. [{3}] dead letters encountered{4}",
            message.GetType().Name, sender, recipient, count, last);
    }

    internal void ReportError(Exception cause, string source, Type type, string message) =>
        EventStream.Publish(new Error(cause, source, type, message));
}
