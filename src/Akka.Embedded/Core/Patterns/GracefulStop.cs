namespace Akka.Actor;

public static class GracefulStopSupport
{
    public static Task<bool> GracefulStop(this IActorRef target, TimeSpan timeout) => target.GracefulStop(timeout, PoisonPill.Instance);

    /// <summary>Sends the message and waits for the actor's end; false when it took longer than the timeout.</summary>
    public static Task<bool> GracefulStop(this IActorRef target, TimeSpan timeout, object stopMessage)
    {
        var watchee = (InternalActorRef)target;
        if (watchee.System is not { } system) return Task.FromResult(true);
        var end = new End(system, watchee);
        watchee.SendSystemMessage(new Watch(watchee, end));
        system.Scheduler.Advanced.ScheduleOnce(timeout, end.Expire, end.Timeout);
        watchee.Tell(stopMessage, ActorRefs.NoSender);
        return end.Done.Task;
    }

    private sealed class End(ActorSystemImpl system, InternalActorRef watchee) : TemporaryActorRef(system)
    {
        public TaskCompletionSource<bool> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public Cancelable Timeout { get; } = new(system.Scheduler);

        protected override void Deliver(object message, IActorRef sender)
        {
            if (message is not Terminated terminated || !terminated.ActorRef.Equals(watchee)) return;
            Unregister();
            Timeout.Cancel();
            Done.TrySetResult(true);
        }

        public void Expire()
        {
            Unregister();
            watchee.SendSystemMessage(new Unwatch(watchee, this));
            Done.TrySetResult(false);
        }
    }
}
