namespace Akka.Actor;

/// <summary>What every reference of this build is: it also takes system messages, and can be walked down by name.</summary>
public abstract class InternalActorRef : IActorRef
{
    private protected InternalActorRef()
    {
    }

    public abstract ActorPath Path { get; }

    public abstract void Tell(object message, IActorRef sender);

    /// <summary>The system it belongs to; null for <see cref="Nobody"/>.</summary>
    internal abstract ActorSystemImpl System { get; }

    internal abstract void SendSystemMessage(SystemMessage message);

    /// <summary>The parent; null above the guardians.</summary>
    internal virtual InternalActorRef Parent => null;

    /// <summary>The living child of that name, or null.</summary>
    internal virtual InternalActorRef GetChild(string name) => null;

    /// <summary>The living children, for selections with wildcards.</summary>
    internal virtual IEnumerable<InternalActorRef> GetChildren() => [];

    internal void Stop() => SendSystemMessage(StopMessage.Instance);

    public bool Equals(IActorRef other) =>
        ReferenceEquals(this, other) || (other is not null && Path.Uid == other.Path.Uid && Path.Equals(other.Path));

    public override bool Equals(object obj) => Equals(obj as IActorRef);

    public override int GetHashCode() => HashCode.Combine(Path.Name, Path.Uid);

    public override string ToString() => $"[{Path.ToSerializationFormat()}]";
}

/// <summary>The reference to no actor: it swallows everything.</summary>
public sealed class Nobody : InternalActorRef
{
    public static Nobody Instance { get; } = new();

    private Nobody()
    {
    }

    public override ActorPath Path { get; } = new RootActorPath(Address.AllSystems) / "Nobody";
    internal override ActorSystemImpl System => null;

    public override void Tell(object message, IActorRef sender)
    {
    }

    internal override void SendSystemMessage(SystemMessage message) => message.AnswerForTheDead();
}

/// <summary>Stands where a path names no living actor: messages become dead letters, Identify and Watch are answered.</summary>
internal class EmptyActorRef(ActorSystemImpl system, ActorPath path) : InternalActorRef
{
    public override ActorPath Path => path;
    internal override ActorSystemImpl System => system;

    public override void Tell(object message, IActorRef sender)
    {
        if (message is null) throw new InvalidMessageException("a message must not be null");
        if (message is Identify identify) sender?.Tell(new ActorIdentity(identify.MessageId, null), this);
        else system.PublishDeadLetter(message, sender, this);
    }

    internal override void SendSystemMessage(SystemMessage message) => message.AnswerForTheDead();
}
