using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>
/// Connects a rank to all others: it calls those with a smaller number and is called by the rest, twice each (data and control). One
/// thread, one poll; a stranger costs a descriptor for a few seconds and nothing more.
/// </summary>
internal sealed unsafe class TcpJoining : IDisposable
{
    /// <summary>The most callers that are listened to at the same time; more wait in the listener's queue.</summary>
    public const int MaxCallers = 64;

    /// <summary>How long a caller may take to say who it is.</summary>
    public static readonly TimeSpan CallersPatience = TimeSpan.FromSeconds(5);

    private readonly string _name;
    private readonly FabricSetup _setup;
    private readonly int _listener;
    private readonly string[] _addresses;
    private readonly List<TcpGreeting> _greetings = [];
    private readonly int[] _data, _control; // descriptor per rank, -1 where there is none (yet)

    public TcpJoining(string name, FabricSetup setup, int listener, string[] addresses)
    {
        (_name, _setup, _listener, _addresses) = (name, setup, listener, addresses);
        (_data, _control) = (new int[setup.World.Size], new int[setup.World.Size]);
        Array.Fill(_data, -1);
        Array.Fill(_control, -1);
    }

    /// <summary>Returns once every rank is connected: the descriptors by rank, -1 for this one. They are the caller's from then
    /// on.</summary>
    /// <exception cref="FabricSetupException">A rank cannot be reached, is of another kind, or did not come in time.</exception>
    public (int[] Data, int[] Control) Run()
    {
        var deadline = new Deadline(_setup.Options.Clock, _setup.Options.SetupDeadline);
        foreach (var peer in _setup.World.Ranks)
        {
            if (peer.Value >= _setup.Self.Value) break;
            Call(peer, TcpPurpose.Data);
            Call(peer, TcpPurpose.Control);
        }
        while (true)
        {
            RankId[] missing = [.. _setup.World.Ranks.Where(IsMissing)];
            if (missing.Length == 0) break;
            if (deadline.Passed) throw Failed($"{string.Join(", ", missing)} did not connect within {deadline}");
            Turn(deadline);
        }
        (int[] Data, int[] Control) joined = ([.. _data], [.. _control]);
        Array.Fill(_data, -1);
        Array.Fill(_control, -1);
        return joined;
    }

    public void Dispose()
    {
        foreach (var greeting in _greetings) greeting.Dispose();
        foreach (int descriptor in (int[])[.. _data, .. _control])
            if (descriptor >= 0) Sockets.Close(descriptor);
    }

    private bool IsMissing(RankId rank) => rank != _setup.Self && (_data[rank.Value] < 0 || _control[rank.Value] < 0);

    private void Call(RankId peer, TcpPurpose purpose)
    {
        int descriptor;
        try
        {
            descriptor = Sockets.BeginConnect(TcpEndpoint.Parse(_addresses[peer.Value]));
        }
        catch (Exception failed) when (failed is FormatException or System.Net.Sockets.SocketException)
        {
            throw Failed($"{peer} at '{_addresses[peer.Value]}': {failed.Message}");
        }
        if (descriptor < 0) throw Failed($"{peer} at {_addresses[peer.Value]} cannot be reached: {Libc.LastError()}");
        _greetings.Add(new TcpGreeting(descriptor, _setup, peer, purpose));
    }

    /// <summary>Waits for something to happen, and moves on what can be moved.</summary>
    private void Turn(Deadline deadline)
    {
        var entries = new Sockets.PollEntry[1 + _greetings.Count];
        bool listens = _greetings.Count(greeting => greeting.Peer is null) < MaxCallers;
        entries[0] = new Sockets.PollEntry { Descriptor = listens ? _listener : -1, Events = Sockets.Readable };
        for (int i = 0; i < _greetings.Count; i++)
            entries[1 + i] = new Sockets.PollEntry { Descriptor = _greetings[i].Descriptor, Events = _greetings[i].Wants };
        var nap = deadline.Left < WaitPolicy.LongestNap ? deadline.Left : WaitPolicy.LongestNap;
        fixed (Sockets.PollEntry* start = entries) Sockets.Poll(start, entries.Length, nap);

        for (int i = _greetings.Count - 1; i >= 0; i--)
        {
            var greeting = _greetings[i];
            bool stays = entries[1 + i].Found == 0 || Advance(greeting);
            if (stays && greeting.Patience is not { Passed: true }) continue;
            greeting.Dispose();
            _greetings.RemoveAt(i);
        }
        if (entries[0].Found == 0) return;
        while (_greetings.Count(greeting => greeting.Peer is null) < MaxCallers && Sockets.Accept(_listener) is >= 0 and var caller)
            _greetings.Add(new TcpGreeting(caller, new Deadline(_setup.Options.Clock, CallersPatience)));
    }

    /// <summary>Whether the greeting is still needed.</summary>
    private bool Advance(TcpGreeting greeting)
    {
        if (greeting.Advance() is not { } complete)
        {
            if (greeting.Peer is not { } peer) return false;
            throw Failed($"{peer} at {_addresses[peer.Value]} refused or closed the connection: "
                + "is it running, with the same session and secret?");
        }
        if (!complete) return true;
        var heard = greeting.Heard;
        if (greeting.Peer is null && !greeting.Answered)
        {
            if (!heard.Knows(_setup)) return false;
            // Also one that we refuse is answered, so that it can say the same thing about us.
            greeting.Say(TcpHello.Of(_setup, heard.Purpose));
            return Advance(greeting);
        }
        if (greeting.Peer is { } called && !heard.Knows(_setup))
            throw Failed($"whoever answers at {_addresses[called.Value]} is not {called} of this session");
        int rank = greeting.Peer?.Value ?? heard.Identity.Rank;
        if (FabricIdentity.Of(_setup).Refuses(heard.Identity, rank) is { } problem) throw Failed(problem);
        if ((uint)rank >= (uint)_setup.World.Size || rank == _setup.Self.Value) return false;
        int[] place = heard.Purpose == TcpPurpose.Data ? _data : _control;
        if (place[rank] < 0) place[rank] = greeting.Take();
        return false;
    }

    private FabricSetupException Failed(string reason) => new(_setup.Self, $"set-up of fabric {_name}: {reason}");
}
