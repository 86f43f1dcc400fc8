using Akka.Event;

namespace Akka.Actor;

/// <summary>The top of the tree: it holds /user, /system, /temp and /deadLetters, and sees the guardians end.</summary>
internal sealed class RootRef(ActorSystemImpl system) : InternalActorRef
{
    public override ActorPath Path => system.RootPath;
    internal override ActorSystemImpl System => system;
    internal LocalActorRef User { get; private set; }
    internal LocalActorRef SystemGuardian { get; private set; }
    internal ActorPath TemporaryPath { get; } = system.RootPath / "temp";

    internal void StartGuardians()
    {
        SystemGuardian = Start("system", Props.Create<Guardian>());
        User = Start("user", Props.Create<Guardian>());
    }

    private LocalActorRef Start(string name, Props props)
    {
        var path = new ChildActorPath(Path, name, system.NextUid());
        var guardian = new LocalActorRef(system, path, this, props);
        guardian.SendSystemMessage(CreateMessage.Instance);
        return guardian;
    }

    public override void Tell(object message, IActorRef sender) => system.PublishDeadLetter(message, sender, this);

    internal override void SendSystemMessage(SystemMessage message)
    {
        if (message is Failed failed)
        {
            system.Log.Error(failed.Cause, "{0} failed; the system ends", failed.Child.Path);
            failed.Child.Stop();
        }
        else if (message is DeathWatchNotification death)
        {
            if (death.Actor.Equals(User)) system.OnUserEnded();
            else system.OnSystemEnded();
        }
        else message.AnswerForTheDead();
    }

    internal override InternalActorRef GetChild(string name) => name switch
    {
        "user" => User,
        "system" => SystemGuardian,
        "temp" => new TemporaryFolder(system, TemporaryPath),
        "deadLetters" => (InternalActorRef)system.DeadLetters,
        _ => null,
    };

    internal override IEnumerable<InternalActorRef> GetChildren() => [User, SystemGuardian];

    private sealed class Guardian : ActorBase
    {
        protected override bool Receive(object message)
        {
            ((ActorSystemImpl)Context.System).PublishDeadLetter(message, Sender, Self);
            return true;
        }
    }

    /// <summary>/temp: the references that Ask waits on.</summary>
    private sealed class TemporaryFolder(ActorSystemImpl system, ActorPath path) : EmptyActorRef(system, path)
    {
        internal override InternalActorRef Parent => System.Root;
        internal override InternalActorRef GetChild(string name) => System.FindTemporary(name);
    }
}
