using System.Runtime.ExceptionServices;

namespace Akka.Actor;

/// <summary>ReceiveAsync and RunTask: user messages wait until the task ends, its continuations run as part of the actor.</summary>
internal sealed partial class ActorCell
{
    private CellTaskScheduler _tasks;
    private List<Failed> _failuresWhileAwaiting;
    private int _awaiting;
    private int _taskEpoch;

    /// <summary>Runs the task up to its first await. What it throws until then is thrown here, what comes later fails the actor.</summary>
    internal void RunTask(Func<Task> action)
    {
        _tasks ??= new CellTaskScheduler(this);
        var start = new Task<Task>(action);
        start.RunSynchronously(_tasks);
        var task = start.GetAwaiter().GetResult();
        if (task.IsCompletedSuccessfully) return;
        if (task.IsCompleted) ExceptionDispatchInfo.Throw(FailureOf(task));
        _awaiting++;
        int epoch = _taskEpoch;
        _ = task.ContinueWith(ended => Send(new TaskDone(FailureOf(ended), epoch)), CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private void RunContinuation(Task task) => _tasks.Run(task);

    private void OnTaskDone(TaskDone done)
    {
        if (done.Epoch != _taskEpoch) return;
        _awaiting--;
        if (done.Cause is not null) Fail(done.Cause);
        FinishMessage();
        if (_awaiting > 0 || _failuresWhileAwaiting is not { Count: > 0 } waiting) return;
        _failuresWhileAwaiting = null;
        foreach (var failed in waiting) OnChildFailed(failed);
    }

    /// <summary>At a restart: tasks that still run belong to the old incarnation.</summary>
    private void ForgetTasks() => (_awaiting, _taskEpoch) = (0, _taskEpoch + 1);

    private static Exception FailureOf(Task task) => task.IsCanceled
        ? new TaskCanceledException(task)
        : task.Exception is { InnerExceptions: [var single] } ? single : task.Exception;

    private sealed class CellTaskScheduler(ActorCell cell) : TaskScheduler
    {
        public void Run(Task task) => TryExecuteTask(task);

        protected override void QueueTask(Task task) => cell.Send(new TaskWork(task));

        // Only the first part runs where it is started; continuations wait for the actor's turn.
        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
            !taskWasPreviouslyQueued && ReferenceEquals(ActorCell.Current, cell) && TryExecuteTask(task);

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }
}
