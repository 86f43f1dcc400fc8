namespace Akka.Actor;

/// <summary>Handled before user messages, also while those are suspended; never visible to actors.</summary>
internal abstract record SystemMessage
{
    /// <summary>What a dead or missing actor does with it: a watcher is told at once, the rest is lost.</summary>
    internal void AnswerForTheDead()
    {
        if (this is Watch watch) watch.Watcher.SendSystemMessage(new DeathWatchNotification(watch.Watchee, false, false));
    }
}

internal sealed record Watch(InternalActorRef Watchee, InternalActorRef Watcher) : SystemMessage;

internal sealed record Unwatch(InternalActorRef Watchee, InternalActorRef Watcher) : SystemMessage;

/// <summary>To watchers and the parent: the actor is gone.</summary>
internal sealed record DeathWatchNotification(IActorRef Actor, bool ExistenceConfirmed, bool AddressTerminated) : SystemMessage;

internal sealed record StopMessage : SystemMessage
{
    public static readonly StopMessage Instance = new();
}

internal sealed record CreateMessage : SystemMessage
{
    public static readonly CreateMessage Instance = new();
}

/// <summary>To the parent: the child failed and waits, suspended, for a verdict.</summary>
internal sealed record Failed(InternalActorRef Child, Exception Cause) : SystemMessage;

internal sealed record Suspend : SystemMessage
{
    public static readonly Suspend Instance = new();
}

/// <summary>Undoes one Suspend; with a cause it also forgives the failure.</summary>
internal sealed record Resume(Exception Cause) : SystemMessage;

internal sealed record Recreate(Exception Cause) : SystemMessage;

/// <summary>A continuation after an await, to run as part of the actor.</summary>
internal sealed record TaskWork(Task Task) : SystemMessage;

/// <summary>The task of a ReceiveAsync or RunTask ended; Epoch tells those of an earlier incarnation apart.</summary>
internal sealed record TaskDone(Exception Cause, int Epoch) : SystemMessage;
