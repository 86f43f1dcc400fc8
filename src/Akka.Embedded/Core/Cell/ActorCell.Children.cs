namespace Akka.Actor;

/// <summary>A child, and how often it was restarted.</summary>
internal sealed class ChildStats(LocalActorRef child)
{
    public LocalActorRef Child { get; } = child;

    /// <summary>Told to stop; its name is still taken.</summary>
    public bool Dying { get; set; }

    private int _restarts;
    private TimeSpan? _windowStart;

    /// <summary>Counts a restart. False when it would be one too many: -1 is without limit, no window counts for ever.</summary>
    public bool MayRestart(int maxRetries, TimeSpan? window, TimeSpan now)
    {
        if (maxRetries == 0) return false;
        if (window is not { } length || length <= TimeSpan.Zero) return maxRetries < 0 || ++_restarts <= maxRetries;
        _windowStart ??= now;
        if (now - _windowStart > length) (_restarts, _windowStart) = (0, now);
        return ++_restarts <= (maxRetries < 0 ? 1 : maxRetries);
    }
}

/// <summary>The children; also read, and for the guardians added to, from other threads.</summary>
internal sealed partial class ActorCell
{
    private readonly Lock _childrenGate = new();
    private Dictionary<string, ChildStats> _children;
    private long _lastAnonymous;

    private bool HasChildren()
    {
        lock (_childrenGate) return _children is { Count: > 0 };
    }

    private bool HasDyingChildren()
    {
        lock (_childrenGate) return _children is not null && _children.Values.Any(child => child.Dying);
    }

    public IActorRef ActorOf(Props props, string name = null)
    {
        ArgumentNullException.ThrowIfNull(props);
        if (name is null) name = "$" + Base64(Interlocked.Increment(ref _lastAnonymous) - 1);
        else if (!ActorPath.IsValidPathElement(name))
            throw new InvalidActorNameException($"Illegal actor name [{name}]: it must not be empty nor start with $, and only have " +
                "ASCII letters, digits and -_.*$+:@&=,!~';()");
        var path = new ChildActorPath(_self.Path, name, _system.NextUid());
        LocalActorRef child;
        lock (_childrenGate)
        {
            if (_state is CellState.Terminating or CellState.Terminated)
                throw new InvalidOperationException($"cannot create child [{name}] while [{_self.Path}] is terminating");
            _children ??= new(StringComparer.Ordinal);
            if (_children.ContainsKey(name)) throw new InvalidActorNameException($"Actor name \"{name}\" is not unique!");
            child = new LocalActorRef(_system, path, _self, props);
            _children.Add(name, new ChildStats(child));
        }
        child.SendSystemMessage(CreateMessage.Instance);
        return child;
    }

    public IActorRef Child(string name) => ChildRef(name) ?? (IActorRef)ActorRefs.Nobody;

    public IEnumerable<IActorRef> GetChildren() => ChildRefs();

    internal LocalActorRef ChildRef(string name)
    {
        lock (_childrenGate) return _children is not null && _children.TryGetValue(name, out var stats) ? stats.Child : null;
    }

    internal LocalActorRef[] ChildRefs()
    {
        lock (_childrenGate) return _children is null ? [] : [.. _children.Values.Select(stats => stats.Child)];
    }

    private ChildStats FindChild(IActorRef child)
    {
        lock (_childrenGate)
        {
            var stats = _children?.GetValueOrDefault(child.Path.Name);
            return stats is not null && stats.Child.Equals(child) ? stats : null;
        }
    }

    /// <summary>Any reference; a child is remembered as dying, so that a restart waits for its end.</summary>
    internal void StopRef(InternalActorRef target)
    {
        if (FindChild(target) is { } stats) stats.Dying = true;
        target.Stop();
    }

    private void StopChildren()
    {
        foreach (var child in ChildRefs()) StopRef(child);
    }

    private void RemoveChild(IActorRef child)
    {
        lock (_childrenGate)
        {
            if (FindChild(child) is null) return;
            _children.Remove(child.Path.Name);
        }
        switch (_state)
        {
            case CellState.Terminating when !HasChildren(): FinishTerminate(); break;
            case CellState.Restarting when !HasDyingChildren(): FinishRestart(); break;
            case CellState.Recreating when !HasDyingChildren(): FinishCreateAgain(); break;
        }
    }

    /// <summary>a, b, .. of 64 letters: the names of actors without one.</summary>
    private static string Base64(long number)
    {
        const string Letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+~";
        string text = "";
        do
        {
            text += Letters[(int)(number & 63)];
            number >>= 6;
        }
        while (number != 0);
        return text;
    }
}
