using System.Linq.Expressions;
using System.Reflection;

namespace Akka.Actor;

/// <summary>How to make an actor: its class, its constructor's arguments (the same objects for every incarnation), and options.</summary>
public class Props
{
    private static readonly object[] NoArguments = [];

    private Props(Type type, object[] arguments)
    {
        if (!typeof(ActorBase).IsAssignableFrom(type)) throw new ArgumentException($"Props needs a class of actor, got {type}");
        (Type, Arguments) = (type, arguments ?? NoArguments);
    }

    private Props(Props from) =>
        (Type, Arguments, SupervisorStrategy, Dispatcher) = (from.Type, from.Arguments, from.SupervisorStrategy, from.Dispatcher);

    /// <summary>An actor that handles nothing.</summary>
    public static readonly Props Empty = new(typeof(EmptyActor), null);

    public Type Type { get; }
    public object[] Arguments { get; }

    /// <summary>Wins over the actor's own; null: the actor's own.</summary>
    public SupervisorStrategy SupervisorStrategy { get; private init; }

    /// <summary>The id of the dispatcher: where its configuration is.</summary>
    public string Dispatcher { get; private init; } = Actor.Dispatcher.DefaultId;

    /// <summary>From `() =&gt; new TActor(...)`; the body must be a plain `new`.</summary>
    /// <exception cref="InvalidCastException">The body is something else.</exception>
    public static Props Create<TActor>(Expression<Func<TActor>> factory, SupervisorStrategy supervisorStrategy = null)
        where TActor : ActorBase
    {
        var creation = (NewExpression)factory.Body;
        var arguments = creation.Arguments.Select(Evaluate).ToArray();
        return new Props(creation.Type, arguments) { SupervisorStrategy = supervisorStrategy };
    }

    public static Props Create<TActor>(params object[] args) where TActor : ActorBase => new(typeof(TActor), args);

    public static Props Create(Type type, params object[] args) => new(type, args);

    public Props WithSupervisorStrategy(SupervisorStrategy supervisorStrategy) => new(this) { SupervisorStrategy = supervisorStrategy };

    /// <summary>With another dispatcher. ActorOf throws if there is none with this id.</summary>
    public Props WithDispatcher(string dispatcher) => new(this) { Dispatcher = dispatcher };

    internal ActorBase NewActor()
    {
        const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.CreateInstance;
        return (ActorBase)Activator.CreateInstance(Type, Any | BindingFlags.DoNotWrapExceptions, null, Arguments, null);
    }

    private static object Evaluate(Expression argument) => argument is ConstantExpression constant
        ? constant.Value
        : Expression.Lambda<Func<object>>(Expression.Convert(argument, typeof(object))).Compile(preferInterpretation: true)();

    private sealed class EmptyActor : ActorBase
    {
        protected override bool Receive(object message) => false;
    }
}
