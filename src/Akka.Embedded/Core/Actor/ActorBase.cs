namespace Akka.Actor;

/// <summary>An actor: it handles one message at a time, and is made only by ActorOf.</summary>
public abstract class ActorBase
{
    /// <exception cref="ActorInitializationException">It was made by `new`.</exception>
    protected ActorBase()
    {
        if (ActorCell.Current is not { } cell || !cell.TryBegin(this))
            throw new ActorInitializationException($"You cannot create an instance of {GetType()} by `new`; use ActorOf with Props");
        if (this is IWithTimers timed) timed.Timers = cell.Timers;
    }

    /// <exception cref="NotSupportedException">No actor has its turn on this thread, as in Task.Run.</exception>
    protected static IActorContext Context => ActorCell.Current
        ?? throw new NotSupportedException("There is no active ActorContext; copy Self and Sender before leaving the actor's thread");

    protected IActorRef Self => Context.Self;
    protected IActorRef Sender => Context.Sender;

    /// <summary>False: not handled.</summary>
    protected abstract bool Receive(object message);

    /// <summary>Publishes UnhandledMessage; a Terminated throws DeathPactException.</summary>
    protected virtual void Unhandled(object message)
    {
        if (message is Terminated terminated) throw new DeathPactException(terminated.ActorRef);
        Context.System.EventStream.Publish(new Event.UnhandledMessage(message, Sender, Self));
    }

    protected virtual void PreStart()
    {
    }

    protected virtual void PostStop()
    {
    }

    /// <summary>On the old instance before a restart: stops all children, calls PostStop. Message: the failed one, or null.</summary>
    protected virtual void PreRestart(Exception reason, object message)
    {
        foreach (var child in Context.GetChildren())
        {
            Context.Unwatch(child);
            Context.Stop(child);
        }
        PostStop();
    }

    /// <summary>On the new instance after a restart: calls PreStart.</summary>
    protected virtual void PostRestart(Exception reason) => PreStart();

    protected virtual SupervisorStrategy SupervisorStrategy() => Actor.SupervisorStrategy.DefaultStrategy;

    protected void Become(Receive receive) => Context.Become(receive);
    protected void BecomeStacked(Receive receive) => Context.BecomeStacked(receive);
    protected void UnbecomeStacked() => Context.UnbecomeStacked();
    protected void SetReceiveTimeout(TimeSpan? timeout) => Context.SetReceiveTimeout(timeout);

    /// <summary>The behaviour of a new instance.</summary>
    internal virtual Receive Entry => Receive;

    /// <summary>Called when the constructor has ended.</summary>
    internal virtual void Constructed()
    {
    }

    internal SupervisorStrategy Strategy => SupervisorStrategy();
    internal void HandleUnhandled(object message) => Unhandled(message);
    internal void RunPreStart() => PreStart();
    internal void RunPostStop() => PostStop();
    internal void RunPreRestart(Exception reason, object message) => PreRestart(reason, message);
    internal void RunPostRestart(Exception reason) => PostRestart(reason);
}

/// <summary>An actor with one method for all messages.</summary>
public abstract class UntypedActor : ActorBase
{
    protected sealed override bool Receive(object message)
    {
        OnReceive(message);
        return true;
    }

    protected abstract void OnReceive(object message);

    /// <summary>Runs an `async` action; no further message is handled until it ends.</summary>
    protected void RunTask(Func<Task> action) => ActorCell.Current.RunTask(action);
}
