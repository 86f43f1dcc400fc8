namespace Akka.Actor;

/// <summary>The reference to an actor of this system.</summary>
internal sealed class LocalActorRef : InternalActorRef
{
    public LocalActorRef(ActorSystemImpl system, ActorPath path, InternalActorRef parent, Props props)
    {
        Path = path;
        Cell = new ActorCell(system, this, parent, props);
    }

    public ActorCell Cell { get; }
    public override ActorPath Path { get; }
    internal override ActorSystemImpl System => Cell.SystemImpl;
    internal override InternalActorRef Parent => Cell.ParentRef;
    public override void Tell(object message, IActorRef sender) => Cell.Tell(message, sender);
    internal override void SendSystemMessage(SystemMessage message) => Cell.Send(message);
    internal override InternalActorRef GetChild(string name) => Cell.ChildRef(name);
    internal override IEnumerable<InternalActorRef> GetChildren() => Cell.ChildRefs();
}
