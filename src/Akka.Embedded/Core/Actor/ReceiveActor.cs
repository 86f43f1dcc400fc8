namespace Akka.Actor;

/// <summary>An actor that lists handlers by type, in its constructor or in an action given to Become: the first that fits wins.</summary>
public abstract class ReceiveActor : UntypedActor
{
    private readonly Handlers _first = new();

    /// <summary>Where handlers go now; null outside the constructor and Become.</summary>
    private Handlers _open;

    protected ReceiveActor() => _open = _first;

    /// <summary>Not used: handlers take the messages.</summary>
    protected sealed override void OnReceive(object message)
    {
    }

    protected void Become(Action configure) => base.Become(Configure(configure).Handle);
    protected void BecomeStacked(Action configure) => base.BecomeStacked(Configure(configure).Handle);

    protected void Receive<T>(Action<T> handler, Predicate<T> shouldHandle = null) => Add(typeof(T), shouldHandle is null, message =>
    {
        if (message is not T typed || (shouldHandle is not null && !shouldHandle(typed))) return false;
        handler(typed);
        return true;
    });

    protected void Receive<T>(Predicate<T> shouldHandle, Action<T> handler) => Receive(handler, shouldHandle);

    /// <summary>False of the handler passes the message on.</summary>
    protected void Receive<T>(Func<T, bool> handler) => Add(typeof(T), false, message => message is T typed && handler(typed));

    protected void ReceiveAny(Action<object> handler) => Receive(handler);

    protected void ReceiveAsync<T>(Func<T, Task> handler, Predicate<T> shouldHandle = null) =>
        Receive(message => RunTask(() => handler(message)), shouldHandle);

    protected void ReceiveAsync<T>(Predicate<T> shouldHandle, Func<T, Task> handler) => ReceiveAsync(handler, shouldHandle);

    internal override Receive Entry => _first.Handle;

    internal override void Constructed() => _open = null;

    private void Add(Type type, bool unconditional, Receive handler)
    {
        if (_open is null)
            throw new InvalidOperationException("handlers are added in the constructor or in an action given to Become, nowhere else");
        _open.Add(type, unconditional, handler);
    }

    private Handlers Configure(Action configure)
    {
        var outer = _open;
        var inner = _open = new Handlers();
        try
        {
            configure();
        }
        finally
        {
            _open = outer;
        }
        return inner;
    }

    private sealed class Handlers
    {
        private readonly List<Receive> _list = [];
        private Receive[] _handlers;
        private bool _complete;

        public void Add(Type type, bool unconditional, Receive handler)
        {
            if (_complete) throw new InvalidOperationException("no handler may follow one that takes every message");
            _list.Add(handler);
            _complete = unconditional && type == typeof(object);
        }

        public bool Handle(object message)
        {
            foreach (var handler in _handlers ??= [.. _list])
            {
                if (handler(message)) return true;
            }
            return false;
        }
    }
}
