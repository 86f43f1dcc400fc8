using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>What a connection between two ranks is for.</summary>
internal enum TcpPurpose
{
    /// <summary>Puts and notifies.</summary>
    Data = 1,

    /// <summary>Aborts and questions for the status.</summary>
    Control = 2,
}

/// <summary>What both sides of a connection say first; the one that connects begins.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TcpHello
{
    public FabricIdentity Identity;
    public TcpPurpose Purpose;
    private int _sessionLength;
    private Text _session;
    private Key _secret;

    public static int Size => Unsafe.SizeOf<TcpHello>();

    public static TcpHello Of(FabricSetup setup, TcpPurpose purpose)
    {
        var hello = new TcpHello { Identity = FabricIdentity.Of(setup), Purpose = purpose };
        hello._sessionLength = Encoding.ASCII.GetBytes(setup.Session, hello._session);
        setup.Options.Secret.CopyTo(hello._secret);
        return hello;
    }

    /// <summary>Whether the other side knows the secret and the session of this set-up. Takes the same time whatever is wrong.</summary>
    public bool Knows(FabricSetup setup)
    {
        var mine = Of(setup, Purpose);
        bool secret = CryptographicOperations.FixedTimeEquals(_secret, mine._secret);
        bool session = CryptographicOperations.FixedTimeEquals(_session, mine._session) && _sessionLength == mine._sessionLength;
        return secret & session && Identity.Magic == mine.Identity.Magic && Purpose is TcpPurpose.Data or TcpPurpose.Control;
    }

    [InlineArray(FabricSetup.MaxSession)]
    private struct Text
    {
        private byte _first;
    }

    [InlineArray(FabricOptions.SecretBytes)]
    private struct Key
    {
        private byte _first;
    }
}

/// <summary>A connection on its way to being one: a greeting each way.</summary>
internal sealed class TcpGreeting : IDisposable
{
    private readonly byte[] _out = new byte[TcpHello.Size], _in = new byte[TcpHello.Size];
    private int _written, _read;

    /// <summary>The connection to a rank, which this side began.</summary>
    public TcpGreeting(int descriptor, FabricSetup setup, RankId peer, TcpPurpose purpose)
    {
        (Descriptor, Peer) = (descriptor, peer);
        Say(TcpHello.Of(setup, purpose));
    }

    /// <summary>A connection that somebody began.</summary>
    public TcpGreeting(int descriptor, Deadline patience) => (Descriptor, Patience) = (descriptor, patience);

    public int Descriptor { get; private set; }

    /// <summary>Who was connected to; null where somebody connected to this rank.</summary>
    public RankId? Peer { get; }

    /// <summary>How long somebody who connected may take.</summary>
    public Deadline? Patience { get; }

    public bool Answered { get; private set; }

    /// <summary>What the other side said, once it said all.</summary>
    public TcpHello Heard => MemoryMarshal.Read<TcpHello>(_in);

    public short Wants => Answered && _written < _out.Length ? Sockets.Writable : Sockets.Readable;

    public void Say(in TcpHello hello)
    {
        MemoryMarshal.Write(_out, hello);
        Answered = true;
    }

    /// <summary>Moves on what can be moved: true when all was written and read, false when more is to come, null when the other side is
    /// gone.</summary>
    public bool? Advance()
    {
        if (Answered && _written < _out.Length)
        {
            long count = Sockets.Write(Descriptor, _out.AsSpan(_written));
            if (count < 0) return count == -Libc.WouldBlock ? false : null;
            _written += (int)count;
        }
        if (_read < _in.Length && (Peer is null || _written == _out.Length))
        {
            long count = Sockets.Read(Descriptor, _in.AsSpan(_read));
            if (count <= 0) return count == -Libc.WouldBlock ? false : null;
            _read += (int)count;
        }
        return _read == _in.Length && (!Answered || _written == _out.Length);
    }

    /// <summary>Hands the descriptor over.</summary>
    public int Take()
    {
        int taken = Descriptor;
        Descriptor = -1;
        return taken;
    }

    public void Dispose()
    {
        if (Descriptor >= 0) Sockets.Close(Take());
    }
}
