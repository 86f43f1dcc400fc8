namespace Akka.Actor;

/// <summary>What becomes of a failed child.</summary>
public enum Directive
{
    Resume,
    Restart,
    Escalate,
    Stop,
}

public interface IDecider
{
    Directive Decide(Exception cause);
}

/// <summary>Decides by code.</summary>
public class LocalOnlyDecider(Func<Exception, Directive> decider) : IDecider
{
    public Directive Decide(Exception cause) => decider(cause);
}

/// <summary>Decides by a list of exception classes, the first that matches with `is`.</summary>
public class DeployableDecider(Directive defaultDirective, params KeyValuePair<Type, Directive>[] pairs) : IDecider
{
    public Directive Decide(Exception cause)
    {
        foreach (var (type, directive) in pairs)
        {
            if (type.IsInstanceOfType(cause)) return directive;
        }
        return defaultDirective;
    }
}

public static class Decider
{
    public static DeployableDecider From(Directive defaultDirective, params KeyValuePair<Type, Directive>[] pairs) =>
        new(defaultDirective, pairs);

    public static LocalOnlyDecider From(Func<Exception, Directive> localOnlyDecider) => new(localOnlyDecider);
}

public static class DirectiveExtensions
{
    public static KeyValuePair<Type, Directive> When<TException>(this Directive self) where TException : Exception =>
        new(typeof(TException), self);
}

/// <summary>How a parent answers the failures of its children.</summary>
public abstract class SupervisorStrategy
{
    /// <summary>Failed creation, Kill and death pacts stop; everything else restarts.</summary>
    public static readonly IDecider DefaultDecider = Akka.Actor.Decider.From(Directive.Restart,
        Directive.Stop.When<ActorInitializationException>(), Directive.Stop.When<ActorKilledException>(),
        Directive.Stop.When<DeathPactException>());

    public static readonly SupervisorStrategy DefaultStrategy = new OneForOneStrategy(DefaultDecider);

    private readonly int _maxRetries;
    private readonly TimeSpan? _window;

    private protected SupervisorStrategy(int? maxRetries, TimeSpan? window, IDecider decider)
    {
        ArgumentNullException.ThrowIfNull(decider);
        (_maxRetries, _window, Decider) = (maxRetries ?? -1, window, decider);
    }

    public IDecider Decider { get; }

    /// <summary>False: the failure is the parent's own now.</summary>
    internal bool HandleFailure(ActorCell cell, ChildStats failed, Exception cause)
    {
        var directive = Decider.Decide(cause);
        var now = cell.System.Scheduler.MonotonicClock;
        if (directive == Directive.Restart && !failed.MayRestart(_maxRetries, _window, now)) directive = Directive.Stop;
        cell.LogVerdict(directive, failed.Child, cause);
        switch (directive)
        {
            case Directive.Escalate:
                return false;
            case Directive.Resume:
                failed.Child.SendSystemMessage(new Resume(cause));
                return true;
            case Directive.Stop:
                cell.StopRef(failed.Child);
                return true;
            default:
                failed.Child.SendSystemMessage(new Recreate(cause));
                return true;
        }
    }
}

/// <summary>Only the failed child is affected. Retries: -1 or null is without limit; with a window, that many in each.</summary>
public class OneForOneStrategy : SupervisorStrategy
{
    public OneForOneStrategy(int? maxNrOfRetries, TimeSpan? withinTimeRange, Func<Exception, Directive> localOnlyDecider)
        : base(maxNrOfRetries, withinTimeRange, Akka.Actor.Decider.From(localOnlyDecider))
    {
    }

    public OneForOneStrategy(Func<Exception, Directive> localOnlyDecider) : this(null, null, localOnlyDecider)
    {
    }

    public OneForOneStrategy(IDecider decider) : base(null, null, decider)
    {
    }
}
