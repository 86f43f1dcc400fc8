namespace Akka.Actor;

/// <summary>The base of what this library throws.</summary>
public abstract class AkkaException : Exception
{
    protected AkkaException(string message, Exception cause = null) : base(message, cause) { }
}

/// <summary>An actor could not be constructed or started; InnerException says why.</summary>
public class ActorInitializationException : AkkaException
{
    public ActorInitializationException(string message) : base(message) { }
    public ActorInitializationException(string message, Exception cause) : base(message, cause) { }
    public ActorInitializationException(IActorRef actor, string message, Exception cause = null) : base(message, cause) => Actor = actor;
    public IActorRef Actor { get; set; }
    public override string ToString() => Actor is null ? base.ToString() : $"{Actor}: {base.ToString()}";
}

public class PreRestartException(IActorRef actor, Exception restartException, Exception cause, object optionalMessage)
    : ActorInitializationException(actor, $"Exception in PreRestart(exception = {cause?.GetType()}, " +
        $"message = {optionalMessage?.GetType()})", restartException)
{
    public Exception OriginalCause { get; } = cause;
}

public class PostRestartException(IActorRef actor, Exception cause, Exception originalCause)
    : ActorInitializationException(actor, $"Exception post restart ({originalCause?.GetType().ToString() ?? "null"})", cause)
{
    public Exception OriginalCause { get; } = originalCause;
}

public class ActorKilledException(string message) : AkkaException(message);

/// <summary>A watched actor ended and its watcher does not handle Terminated.</summary>
public class DeathPactException : AkkaException
{
    public DeathPactException(string message) : base(message) { }
    public DeathPactException(IActorRef deadActor) : base($"Monitored actor [{deadActor}] terminated") => DeadActor = deadActor;
    public IActorRef DeadActor { get; }
}

public class InvalidActorNameException(string message, Exception innerEx = null) : AkkaException(message, innerEx);

public class InvalidMessageException(string message, Exception cause = null) : AkkaException(message, cause);

public class ActorNotFoundException(string message, Exception innerException = null) : AkkaException(message, innerException);

public class AskTimeoutException(string message) : AkkaException(message);

public class SchedulerException(string message) : AkkaException(message);
