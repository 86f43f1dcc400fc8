using Akka.Event;

namespace Akka.Actor;

internal enum CellState
{
    Running,

    /// <summary>Waits for children to end, then constructs its actor again from the start.</summary>
    Recreating,

    /// <summary>Waits for children to end, then restarts.</summary>
    Restarting,

    /// <summary>Waits for children to end, then ends.</summary>
    Terminating,
    Terminated,
}

/// <summary>Start, failure, restart and end, in the order of akka-api.md section 2.</summary>
internal sealed partial class ActorCell
{
    private CellState _state;

    /// <summary>Set while failed: itself, or the child whose failure it could not handle.</summary>
    private InternalActorRef _culprit;

    private Exception _restartCause;
    private SupervisorStrategy _strategy;

    private SupervisorStrategy Strategy =>
        Props.SupervisorStrategy ?? (_strategy ??= _actor?.Strategy) ?? SupervisorStrategy.DefaultStrategy;

    private void NewActor()
    {
        _creating = true;
        _outerBehaviors.Clear();
        try
        {
            _actor = Props.NewActor();
        }
        finally
        {
            _creating = false;
        }
        _actor.Constructed();
    }

    private void Create()
    {
        try
        {
            NewActor();
            _actor.RunPreStart();
        }
        catch (Exception cause)
        {
            _actor = null;
            throw new ActorInitializationException(_self, "Exception during creation", cause);
        }
    }

    private void Fail(Exception cause, InternalActorRef culprit = null)
    {
        if (_culprit is not null || _state is CellState.Terminating or CellState.Terminated) return;
        _culprit = culprit ?? _self;
        _suspended++;
        foreach (var child in ChildRefs())
        {
            if (!child.Equals(culprit)) child.SendSystemMessage(Actor.Suspend.Instance);
        }
        _parent.SendSystemMessage(new Failed(_self, cause));
    }

    private void OnChildFailed(Failed failed)
    {
        if (FindChild(failed.Child) is not { } stats) return;
        var (own, alreadyFailed) = (_current, _culprit is not null);
        _current = new Envelope(failed, failed.Child);
        bool handled = Strategy.HandleFailure(this, stats, failed.Cause);
        if (!handled) Fail(failed.Cause, failed.Child);
        if (handled || alreadyFailed) _current = own;
    }

    private void OnSuspend()
    {
        _suspended++;
        foreach (var child in ChildRefs()) child.SendSystemMessage(Actor.Suspend.Instance);
    }

    private void OnResume(Exception cause)
    {
        if (_actor is null && _state == CellState.Running && cause is not null)
        {
            CreateAgain();
            return;
        }
        _suspended--;
        var culprit = _culprit;
        if (cause is not null) ClearFailure();
        foreach (var child in ChildRefs()) child.SendSystemMessage(new Resume(child.Equals(culprit) ? cause : null));
    }

    private void ClearFailure()
    {
        _culprit = null;
        _current = default;
    }

    private void OnRecreate(Exception cause)
    {
        if (_state != CellState.Running)
        {
            // Already on its way to a new incarnation or to its end: only the balance of suspensions matters.
            OnResume(null);
            return;
        }
        if (_actor is null)
        {
            CreateAgain();
            return;
        }
        _timers?.CancelAll();
        ForgetTasks();
        try
        {
            _actor.RunPreRestart(cause, _current.Message is Failed ? null : _current.Message);
        }
        catch (Exception failure)
        {
            LogError(new PreRestartException(_self, failure, cause, _current.Message), failure.Message);
        }
        DropActor();
        _restartCause = cause;
        _state = CellState.Restarting;
        if (!HasDyingChildren()) FinishRestart();
    }

    private void FinishRestart()
    {
        var cause = _restartCause;
        var survivors = ChildRefs();
        _restartCause = null;
        _state = CellState.Running;
        _suspended--;
        ClearFailure();
        try
        {
            NewActor();
            _actor.RunPostRestart(cause);
            foreach (var child in survivors) child.SendSystemMessage(new Recreate(cause));
        }
        catch (Exception failure)
        {
            _actor = null;
            Fail(new PostRestartException(_self, failure, cause));
        }
    }

    /// <summary>The actor never came to life: children that its constructor made end, then it is made anew.</summary>
    private void CreateAgain()
    {
        StopChildren();
        _state = CellState.Recreating;
        if (!HasDyingChildren()) FinishCreateAgain();
    }

    private void FinishCreateAgain()
    {
        _state = CellState.Running;
        _suspended--;
        ClearFailure();
        Create();
    }

    private void Terminate()
    {
        if (_state is CellState.Terminating or CellState.Terminated) return;
        _state = CellState.Terminating;
        SetReceiveTimeout(null);
        UnwatchAll();
        _suspended++;
        StopChildren();
        if (!HasChildren()) FinishTerminate();
    }

    private void FinishTerminate()
    {
        _timers?.CancelAll();
        try
        {
            _actor?.RunPostStop();
        }
        catch (Exception failure)
        {
            LogError(failure, failure.Message);
        }
        DropActor();
        UnwatchAll();
        _state = CellState.Terminated;
        _system.EventStream.Unsubscribe(_self);
        var death = new DeathWatchNotification(_self, true, false);
        _parent.SendSystemMessage(death);
        TellWatchers(death);
        (_behavior, _current) = (null, default);
    }

    private void DropActor()
    {
        var actor = _actor;
        (_actor, _strategy) = (null, null);
        try
        {
            (actor as IDisposable)?.Dispose();
        }
        catch (Exception failure)
        {
            LogError(failure, $"an error while disposing an {Props.Type}: {failure.Message}");
        }
    }

    internal void LogVerdict(Directive directive, InternalActorRef child, Exception cause)
    {
        string source = child.Path.ToString();
        string text = cause is ActorInitializationException { InnerException: { } inner } ? inner.Message : cause.Message;
        if (directive == Directive.Resume) _system.EventStream.Publish(new Warning(null, source, Props.Type, text));
        else if (directive != Directive.Escalate) _system.EventStream.Publish(new Error(cause, source, Props.Type, text));
    }
}
