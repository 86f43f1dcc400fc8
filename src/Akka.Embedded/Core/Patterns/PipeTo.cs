namespace Akka.Actor;

/// <summary>Tells the outcome of a task: its result, or Status.Failure. The sender is null unless given.</summary>
public static class PipeToSupport
{
    public static Task PipeTo<T>(this Task<T> taskToPipe, ICanTell recipient, IActorRef sender = null, Func<T, object> success = null,
        Func<Exception, object> failure = null) => Pipe(taskToPipe, recipient, sender, success ?? (result => result), failure);

    /// <summary>Without `success` nothing is told of success.</summary>
    public static Task PipeTo(this Task taskToPipe, ICanTell recipient, IActorRef sender = null, Func<object> success = null,
        Func<Exception, object> failure = null) =>
        Pipe(Outcome(taskToPipe), recipient, sender, success is null ? null : _ => success(), failure);

    private static async Task<bool> Outcome(Task task)
    {
        await task.ConfigureAwait(false);
        return true;
    }

    private static async Task Pipe<T>(Task<T> task, ICanTell recipient, IActorRef sender, Func<T, object> success,
        Func<Exception, object> failure)
    {
        try
        {
            var result = await task.ConfigureAwait(false);
            if (success is not null) recipient.Tell(success(result), sender);
        }
        catch (Exception cause)
        {
            recipient.Tell(failure is null ? new Status.Failure(cause) : failure(cause), sender);
        }
    }
}
