using Akka.Event;

namespace Akka.Actor;

/// <summary>Handled by the actor's cell before, or instead of, the actor's own Receive.</summary>
public interface IAutoReceivedMessage;

/// <summary>May be lost without being asked for: it becomes a SuppressedDeadLetter.</summary>
public interface IPossiblyHarmful;

/// <summary>Does not count as activity for a receive timeout.</summary>
public interface INotInfluenceReceiveTimeout;

/// <summary>A message and who sent it.</summary>
internal readonly record struct Envelope(object Message, IActorRef Sender);

/// <summary>Stops its receiver after the messages before it.</summary>
public sealed class PoisonPill : IAutoReceivedMessage, IPossiblyHarmful, IDeadLetterSuppression
{
    public static PoisonPill Instance { get; } = new();
    private PoisonPill() { }
}

/// <summary>Makes its receiver throw <see cref="ActorKilledException"/>.</summary>
public sealed class Kill : IAutoReceivedMessage, IPossiblyHarmful
{
    public static Kill Instance { get; } = new();
    private Kill() { }
}

/// <summary>Comes when nothing was handled for the time given to SetReceiveTimeout.</summary>
public sealed class ReceiveTimeout : IPossiblyHarmful
{
    public static ReceiveTimeout Instance { get; } = new();
    private ReceiveTimeout() { }
}

/// <summary>Answered by the system with an <see cref="ActorIdentity"/>.</summary>
public sealed class Identify(object messageId) : IAutoReceivedMessage, INotInfluenceReceiveTimeout
{
    public object MessageId { get; } = messageId;
}

/// <summary>Subject is the actor's reference, or null where there is none.</summary>
public sealed class ActorIdentity(object messageId, IActorRef subject)
{
    public object MessageId { get; } = messageId;
    public IActorRef Subject { get; } = subject;
}

/// <summary>To a watcher: the watched actor is gone.</summary>
public sealed class Terminated(IActorRef actorRef, bool existenceConfirmed, bool addressTerminated)
    : IAutoReceivedMessage, IPossiblyHarmful, IDeadLetterSuppression
{
    public IActorRef ActorRef { get; } = actorRef;
    public bool ExistenceConfirmed { get; } = existenceConfirmed;
    public bool AddressTerminated { get; } = addressTerminated;
}

/// <summary>The two ends of a request.</summary>
public abstract class Status
{
    private Status() { }

    public sealed class Success(object status) : Status
    {
        public readonly object Status = status;
    }

    public sealed class Failure(Exception cause, object state) : Status
    {
        public Failure(Exception cause) : this(cause, null) { }

        public readonly Exception Cause = cause;
        public readonly object State = state;
    }
}
