using System.Text.RegularExpressions;

namespace Akka.Actor;

/// <summary>
/// Actors by path, looked up for each message: `/user/a` on this node, `akka.tcp://sys@host:port/user/a` on another, else relative.
/// `..`, `*`, `?` and a last `**` work on this node.
/// </summary>
public class ActorSelection : ICanTell
{
    private readonly string[] _elements;
    private readonly InternalActorRef _anchor;

    private ActorSelection(InternalActorRef anchor, IEnumerable<string> elements) => (_anchor, _elements) = (anchor, [.. elements]);

    public IActorRef Anchor => _anchor;
    public string PathString => "/" + string.Join('/', _elements);
    internal ActorSystemImpl System => _anchor.System;

    internal static ActorSelection From(InternalActorRef anchor, string path)
    {
        var system = anchor.System;
        if (ActorPath.TryParse(path, out var absolute)) return From(system, absolute);
        string[] elements = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return new ActorSelection(path.StartsWith('/') ? system.Root : anchor, elements);
    }

    internal static ActorSelection From(ActorSystemImpl system, ActorPath path) => system.IsLocal(path.Address)
        ? new ActorSelection(system.Root, path.Elements)
        : new ActorSelection((InternalActorRef)system.ResolveActorRef(path.WithUid(0)), []);

    public void Tell(object message, IActorRef sender = null)
    {
        ArgumentNullException.ThrowIfNull(message);
        sender ??= ActorCell.Current?.Self;
        var found = Matches();
        if (found.Count == 0) new EmptyActorRef(System, MissingPath()).Tell(message, sender);
        foreach (var actor in found) actor.Tell(message, sender);
    }

    /// <exception cref="ActorNotFoundException">There is none, or it did not answer in time (through the task).</exception>
    public Task<IActorRef> ResolveOne(TimeSpan timeout) => ResolveOne(timeout, CancellationToken.None);

    public async Task<IActorRef> ResolveOne(TimeSpan timeout, CancellationToken ct)
    {
        ActorIdentity identity;
        try
        {
            identity = await this.Ask<ActorIdentity>(new Identify(null), timeout, ct).ConfigureAwait(false);
        }
        catch (Exception cause)
        {
            throw new ActorNotFoundException($"no answer from the actor for {this}", cause);
        }
        return identity.Subject ?? throw new ActorNotFoundException($"no actor for {this}", new ActorNotFoundException("subject was null"));
    }

    private List<InternalActorRef> Matches()
    {
        List<InternalActorRef> at = [_anchor];
        foreach (string element in _elements) at = [.. at.SelectMany(actor => Step(actor, element))];
        return at;
    }

    private static IEnumerable<InternalActorRef> Step(InternalActorRef from, string element)
    {
        switch (element)
        {
            case "..": return from.Parent is { } parent ? [parent] : [];
            case "**": return Descendants(from);
        }
        if (!element.AsSpan().ContainsAny('*', '?')) return from.GetChild(element) is { } child ? [child] : [];
        string pattern = $"^{Regex.Escape(element).Replace("\\*", ".*").Replace("\\?", ".")}$";
        return from.GetChildren().Where(each => Regex.IsMatch(each.Path.Name, pattern, RegexOptions.None, TimeSpan.FromSeconds(1)));
    }

    private static IEnumerable<InternalActorRef> Descendants(InternalActorRef from) =>
        from.GetChildren().SelectMany(child => Descendants(child).Prepend(child));

    private ActorPath MissingPath() => _elements.Aggregate(_anchor.Path, (path, element) => element == ".." ? path.Parent : path / element);

    public override string ToString() => $"ActorSelection[Anchor({_anchor.Path}), Path({PathString})]";
}
