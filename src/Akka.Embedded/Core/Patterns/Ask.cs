namespace Akka.Actor;

/// <summary>Sends a message with a temporary reference as sender; the first answer to it completes the task.</summary>
public static class Futures
{
    public static Task<object> Ask(this ICanTell self, object message, TimeSpan? timeout = null) =>
        self.Ask<object>(message, timeout, CancellationToken.None);

    public static Task<T> Ask<T>(this ICanTell self, object message, TimeSpan? timeout = null) =>
        self.Ask<T>(message, timeout, CancellationToken.None);

    public static Task<T> Ask<T>(this ICanTell self, object message, CancellationToken cancellationToken) =>
        self.Ask<T>(message, null, cancellationToken);

    public static Task<T> Ask<T>(this ICanTell self, object message, TimeSpan? timeout, CancellationToken cancellationToken) =>
        self.Ask<T>(_ => message, timeout, cancellationToken);

    /// <summary>The factory gets the temporary reference. A timeout of null is akka.actor.ask-timeout; zero or negative is none.</summary>
    public static Task<T> Ask<T>(this ICanTell self, Func<IActorRef, object> messageFactory, TimeSpan? timeout,
        CancellationToken cancellationToken)
    {
        var system = (self as InternalActorRef)?.System ?? (self as ActorSelection)?.System
            ?? throw new ArgumentException("this reference belongs to no system: it cannot be asked", nameof(self));
        var limit = timeout ?? system.AskTimeout;
        var answer = new Answer<T>(system);
        answer.Begin(limit, cancellationToken);
        self.Tell(messageFactory(answer), answer);
        return answer.Task;
    }

    private sealed class Answer<T>(ActorSystemImpl system) : TemporaryActorRef(system)
    {
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Cancelable _timeout;
        private CancellationTokenRegistration _cancellation;

        public Task<T> Task => _done.Task;

        public void Begin(TimeSpan limit, CancellationToken cancellationToken)
        {
            if (cancellationToken.IsCancellationRequested) End(() => _done.TrySetCanceled(cancellationToken));
            if (cancellationToken.CanBeCanceled)
                _cancellation = cancellationToken.UnsafeRegister(token => End(() => _done.TrySetCanceled(cancellationToken)), null);
            if (limit <= TimeSpan.Zero || Task.IsCompleted) return;
            _timeout = new Cancelable(System.Scheduler);
            System.Scheduler.Advanced.ScheduleOnce(limit, () => Expire(limit), _timeout);
            if (Task.IsCompleted) _timeout.Cancel();
        }

        private void Expire(TimeSpan limit) =>
            End(() => _done.TrySetException(new AskTimeoutException($"Timeout after {limit.TotalSeconds:0.00} seconds")));

        protected override void Deliver(object message, IActorRef sender)
        {
            bool first = message switch
            {
                T value => End(() => _done.TrySetResult(value)),
                Status.Failure failure => End(() => _done.TrySetException(failure.Cause ?? new TaskCanceledException())),
                _ => End(() => _done.TrySetException(new ArgumentException($"Received message of type [{message.GetType()}] - " +
                    $"Ask expected message of type [{typeof(T)}]"))),
            };
            if (!first && !Task.IsCanceled) System.PublishDeadLetter(message, sender, this);
        }

        private bool End(Func<bool> complete)
        {
            if (!complete()) return false;
            Unregister();
            _timeout?.Cancel();
            _cancellation.Unregister();
            return true;
        }
    }
}

/// <summary>A reference below /temp, known while it waits.</summary>
internal abstract class TemporaryActorRef : InternalActorRef
{
    private protected TemporaryActorRef(ActorSystemImpl system)
    {
        System = system;
        Path = system.RegisterTemporary(this);
    }

    public override ActorPath Path { get; }
    internal override ActorSystemImpl System { get; }

    public override void Tell(object message, IActorRef sender)
    {
        ArgumentNullException.ThrowIfNull(message);
        Deliver(message, sender);
    }

    internal override void SendSystemMessage(SystemMessage message)
    {
        if (message is DeathWatchNotification death)
            Tell(new Terminated(death.Actor, death.ExistenceConfirmed, death.AddressTerminated), death.Actor);
    }

    protected abstract void Deliver(object message, IActorRef sender);

    protected void Unregister() => System.UnregisterTemporary(Path);
}
