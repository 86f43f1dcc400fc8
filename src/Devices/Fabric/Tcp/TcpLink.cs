using System.Runtime.InteropServices;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>
/// The data connection to one peer. Reads go from the kernel straight to their place in the window, frames that follow into a small
/// buffer, in one call. Small writes are gathered until a flush; large ones go from the caller's memory. Never blocks, allocates nothing.
/// </summary>
internal sealed unsafe class TcpLink : IDisposable
{
    private const int BufferBytes = 64 << 10;

    /// <summary>Puts up to this size are copied, so that one call sends several: about what a system call costs in copying.</summary>
    private const int CopyLimit = 8 << 10;

    /// <summary>Bytes read or written before the caller may look around: a fast peer must not keep a rank from an abort for long.</summary>
    private const int TurnBytes = 4 << 20;

    private readonly byte* _window;
    private readonly long _planBytes;
    private readonly ulong* _flags; // of this peer, here
    private readonly int _flagCount;
    private readonly byte* _incoming, _outgoing;
    private int _incomingStart, _incomingEnd;
    private byte* _target; // where the rest of a Put goes
    private long _targetLeft;
    private Sockets.Piece _first, _second; // what is to be written
    private int _outgoingLength;
    private bool _lost; // the peer takes no more

    public TcpLink(int descriptor, byte* window, long planBytes, ulong* flags, int flagCount)
    {
        (Descriptor, _planBytes, _flagCount) = (descriptor, planBytes, flagCount);
        _window = window;
        _flags = flags;
        _incoming = (byte*)NativeMemory.Alloc(BufferBytes);
        _outgoing = (byte*)NativeMemory.Alloc(BufferBytes);
    }

    public int Descriptor { get; private set; }

    /// <summary>Whether the peer has ended the connection. What it sent before was read.</summary>
    public bool Closed { get; private set; }

    /// <summary>What the peer sent that it must not, where it did; nothing is read from then on.</summary>
    public string? Violation { get; private set; }

    /// <summary>Reads what is there, up to a turn's bytes.</summary>
    public void Read()
    {
        var pieces = stackalloc Sockets.Piece[2];
        for (long turn = 0; turn < TurnBytes && !Closed && Violation is null;)
        {
            long wanted, got;
            if (_targetLeft > 0)
            {
                pieces[0] = new Sockets.Piece(_target, _targetLeft);
                pieces[1] = new Sockets.Piece(_incoming, BufferBytes);
                wanted = _targetLeft + BufferBytes;
                got = Sockets.Read(Descriptor, pieces, 2);
            }
            else
            {
                wanted = BufferBytes - _incomingEnd;
                got = Sockets.Read(Descriptor, new Span<byte>(_incoming + _incomingEnd, (int)wanted));
            }
            if (got == -Libc.WouldBlock) return;
            if (got == -Libc.Interrupted) continue;
            Closed = got <= 0;
            if (got > 0) Take(got);
            turn += got;
            if (got < wanted) return; // that was all there is
        }
    }

    /// <summary>
    /// Takes a Put. True when it is gathered or under way in whole; else call <see cref="Write"/> until it is, with the source in place.
    /// </summary>
    public void Put(Region region, byte* source)
    {
        int length = (int)region.Length;
        Append(TcpFrame.Put(region));
        if (length <= CopyLimit)
        {
            Buffer.MemoryCopy(source, _outgoing + _outgoingLength, BufferBytes - _outgoingLength, length);
            _outgoingLength += length;
            return;
        }
        _first = new Sockets.Piece(_outgoing, _outgoingLength);
        _second = new Sockets.Piece(source, length);
        _outgoingLength = 0;
    }

    /// <summary>Takes a Notify, to be written together with what was gathered before.</summary>
    public void Notify(int flag, ulong value)
    {
        Append(TcpFrame.Notify(flag, value));
        Flush();
    }

    /// <summary>Takes a bell; nothing else goes to a peer whose window is mapped.</summary>
    public void Bell()
    {
        Append(TcpFrame.Bell);
        Flush();
    }

    /// <summary>Whether a Put of this size needs a <see cref="Flush"/> first.</summary>
    public bool IsFullFor(long length) => _outgoingLength + 2 * TcpFrame.Size + Math.Min(length, CopyLimit) > BufferBytes;

    /// <summary>Makes everything gathered ready to be written.</summary>
    public void Flush()
    {
        _first = new Sockets.Piece(_outgoing, _outgoingLength);
        _second = default;
        _outgoingLength = 0;
    }

    /// <summary>
    /// Writes what the kernel takes of what is ready, up to a turn's bytes. What is meant for a peer that is gone is dropped: a rank learns
    /// of it when it waits for the peer.
    /// </summary>
    /// <returns>Whether nothing is left to write.</returns>
    public bool Write()
    {
        var pieces = stackalloc Sockets.Piece[2];
        for (long turn = 0; !_lost && !Closed && _first.Length + _second.Length > 0;)
        {
            if (turn >= TurnBytes) return false;
            (pieces[0], pieces[1]) = (_first, _second);
            long written = _first.Length > 0 ? Sockets.Write(Descriptor, pieces, 2) : Sockets.Write(Descriptor, pieces + 1, 1);
            if (written == -Libc.WouldBlock) return false;
            if (written == -Libc.Interrupted) continue;
            if (written < 0)
            {
                _lost = true; // but what it sent before can still be read
                break;
            }
            turn += written;
            nint ofFirst = Math.Min((nint)written, _first.Length), ofSecond = (nint)written - ofFirst;
            _first = new Sockets.Piece(_first.Start + ofFirst, _first.Length - ofFirst);
            _second = new Sockets.Piece(_second.Start + ofSecond, _second.Length - ofSecond);
        }
        _first = _second = default;
        return true;
    }

    public void Dispose()
    {
        if (Descriptor < 0) return;
        Sockets.CloseGently(Descriptor);
        Descriptor = -1;
        NativeMemory.Free(_incoming);
        NativeMemory.Free(_outgoing);
    }

    private void Append(TcpFrame frame)
    {
        *(TcpFrame*)(_outgoing + _outgoingLength) = frame;
        _outgoingLength += TcpFrame.Size;
    }

    /// <summary>Accounts for bytes that were read to where a Put goes, and the rest into the buffer.</summary>
    private void Take(long got)
    {
        if (_targetLeft > 0)
        {
            long placed = Math.Min(got, _targetLeft);
            _target += placed;
            _targetLeft -= placed;
            (_incomingStart, _incomingEnd) = (0, (int)(got - placed));
        }
        else
        {
            _incomingEnd += (int)got;
        }
        while (_targetLeft == 0 && _incomingEnd - _incomingStart >= TcpFrame.Size && Violation is null) TakeFrame();
        int rest = _incomingEnd - _incomingStart;
        if (_incomingStart > 0 && rest > 0) Buffer.MemoryCopy(_incoming + _incomingStart, _incoming, BufferBytes, rest);
        (_incomingStart, _incomingEnd) = (0, rest);
    }

    private void TakeFrame()
    {
        var frame = *(TcpFrame*)(_incoming + _incomingStart);
        _incomingStart += TcpFrame.Size;
        if (!frame.Fits(_planBytes, _flagCount))
        {
            Violation = $"sent {frame}, outside a window of {_planBytes} bytes and {_flagCount} flags";
            return;
        }
        if (frame.IsBell) return;
        if (frame.IsNotify)
        {
            Volatile.Write(ref _flags[frame.Target], frame.Amount);
            return;
        }
        _target = _window + frame.Target;
        _targetLeft = (long)frame.Amount;
        long here = Math.Min(_targetLeft, _incomingEnd - _incomingStart);
        Buffer.MemoryCopy(_incoming + _incomingStart, _target, _targetLeft, here);
        _target += here;
        _targetLeft -= here;
        _incomingStart += (int)here;
    }
}
