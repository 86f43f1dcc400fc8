using Akka.Actor;

namespace Akka.Event;

/// <summary>A message that may be lost without a word: it becomes a SuppressedDeadLetter.</summary>
public interface IDeadLetterSuppression;

/// <summary>A message that was not handled, for whatever reason.</summary>
public abstract class AllDeadLetters
{
    private protected AllDeadLetters(object message, IActorRef sender, IActorRef recipient) =>
        (Message, Sender, Recipient) = (message, sender, recipient);

    public object Message { get; }
    public IActorRef Sender { get; }
    public IActorRef Recipient { get; }
    public override string ToString() => $"{GetType().Name} from {Sender} to {Recipient}: <{Message}>";
}

/// <summary>Nobody was there to take it.</summary>
public sealed class DeadLetter(object message, IActorRef sender, IActorRef recipient) : AllDeadLetters(message, sender, recipient);

public sealed class SuppressedDeadLetter(IDeadLetterSuppression message, IActorRef sender, IActorRef recipient)
    : AllDeadLetters(message, sender, recipient);

/// <summary>The recipient has no handler for it.</summary>
public sealed class UnhandledMessage(object message, IActorRef sender, IActorRef recipient) : AllDeadLetters(message, sender, recipient);
