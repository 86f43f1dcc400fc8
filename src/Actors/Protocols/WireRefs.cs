using System.Runtime.CompilerServices;
using Akka.Actor;
using Akka.Serialization;

namespace Troupe.Actors.Protocols;

/// <summary>References to actors as text: the serialized path, with this system's address while a message is on its way out.</summary>
internal static class WireRefs
{
    /// <summary>Characters of a path. Ours are under 200.</summary>
    public const int MaxPath = 1024;

    /// <summary>The path of an actor that must be there: the sender learns of a missing one, not the receiver.</summary>
    public static string PathOf(IActorRef? actor, [CallerArgumentExpression(nameof(actor))] string field = "") =>
        PathOrNone(actor) is { Length: > 0 } path ? path : throw WireCheck.Refuse(field, "an actor", "none");

    /// <summary>The path of an actor, or "" for none.</summary>
    public static string PathOrNone(IActorRef? actor) => actor is null || actor.IsNobody() ? "" : Serialization.SerializedActorPath(actor);

    public static IActorRef ActorAt(string path, ExtendedActorSystem system, [CallerArgumentExpression(nameof(path))] string field = "") =>
        ActorOrNone(path, system, field) ?? throw WireCheck.Refuse(field, "an actor's path", "none");

    public static IActorRef? ActorOrNone(
        string path, ExtendedActorSystem system, [CallerArgumentExpression(nameof(path))] string field = "")
    {
        if (path.Length == 0) return null;
        if (path.Length > MaxPath) throw WireCheck.Refuse(field, $"a path of at most {MaxPath} characters", path.Length);
        return IsPath(path)
            ? system.Provider.ResolveActorRef(path)
            : throw WireCheck.Refuse(field, "an actor's path", WireCheck.Printable(path));
    }

    /// <summary>The provider hands out dead letters for what it cannot read, without a word; so look first.</summary>
    private static bool IsPath(string text)
    {
        try
        {
            return ActorPath.Parse(text).Address is { System.Length: > 0, Port: null or (> 0 and <= 65_535) };
        }
        catch (Exception)
        {
            return false; // parsers of addresses throw what they like
        }
    }
}
