using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric.Tcp;

/// <summary>
/// The control connections of a rank and the small thread that listens on them, so that an abort arrives and a question for the status is
/// answered while the executor computes or hangs.
/// </summary>
internal sealed unsafe class TcpControl : IDisposable
{
    private const int Unknown = -1;

    /// <summary>How long a rank may take to say where it is; a process that does not run cannot say it.</summary>
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromMilliseconds(100);

    private readonly FabricSetup _setup;
    private readonly Action<Failure> _aborted;
    private readonly int[] _descriptors;
    private readonly Thread _listener;
    private readonly WakeUp _stop = new();
    private readonly Lock _writing = new();
    private readonly object _answers = new(); // guards the four below, and is pulsed when they change
    private readonly StepPoint[] _status;
    private readonly int[] _answered;
    private readonly bool[] _ended;
    private bool _stirred; // nobody waits here any more
    private long _ownEpoch;
    private ulong _ownStatus;

    /// <summary>Takes over the descriptors (per rank, -1 for one's own); <paramref name="aborted"/> is called on the listening
    /// thread.</summary>
    public TcpControl(FabricSetup setup, int[] descriptors, Action<Failure> aborted)
    {
        (_setup, _descriptors, _aborted) = (setup, descriptors, aborted);
        (_status, _answered, _ended) = (new StepPoint[descriptors.Length], new int[descriptors.Length], new bool[descriptors.Length]);
        _listener = new Thread(Listen, maxStackSize: 256 << 10) { IsBackground = true, Name = $"tcp control of {setup.Self}" };
    }

    /// <summary>Starts to listen.</summary>
    public void Start() => _listener.Start();

    /// <summary>Where this rank is.</summary>
    public StepPoint OwnStatus
    {
        get => StatusWord.Unpack((ulong)Volatile.Read(ref _ownEpoch), Volatile.Read(ref _ownStatus));
        set
        {
            Volatile.Write(ref _ownEpoch, value.Epoch.Value);
            Volatile.Write(ref _ownStatus, StatusWord.Pack(value));
        }
    }

    /// <summary>Tells all peers to abort.</summary>
    public void Abort(Failure failure)
    {
        var frame = new Frame { Kind = FrameKind.Abort, Culprit = failure.Culprit?.Value ?? Unknown };
        Encoding.UTF8.GetEncoder().Convert(failure.Reason, frame.Text, flush: false, out _, out frame.TextLength, out _);
        for (int peer = 0; peer < _descriptors.Length; peer++) Send(peer, frame);
    }

    /// <summary>Asks a peer where it is; what it said last, where it does not answer.</summary>
    public StepPoint StatusOf(int peer)
    {
        lock (_answers)
        {
            int before = _answered[peer];
            if (Send(peer, new Frame { Kind = FrameKind.Ask }))
            {
                var patience = new Deadline(TimeProvider.System, AnswerPatience);
                while (_answered[peer] == before && !_stirred && patience is { Passed: false, Left: var left })
                    Monitor.Wait(_answers, left);
            }
            return _status[peer];
        }
    }

    /// <summary>Returns once all that a peer said before it ended was heard; soon in any case.</summary>
    public void AwaitEnd(int peer)
    {
        lock (_answers)
        {
            var patience = new Deadline(TimeProvider.System, AnswerPatience);
            while (!_ended[peer] && !_stirred && patience is { Passed: false, Left: var left }) Monitor.Wait(_answers, left);
        }
    }

    /// <summary>Ends the waits of the two above, now and later: the epoch was aborted, so nothing can be learned that matters.</summary>
    public void Stir()
    {
        lock (_answers)
        {
            _stirred = true;
            Monitor.PulseAll(_answers);
        }
    }

    public void Dispose()
    {
        _stop.Set();
        _listener.Join();
        _stop.Dispose();
        lock (_writing)
        {
            for (int peer = 0; peer < _descriptors.Length; peer++)
                if (_descriptors[peer] >= 0) Sockets.CloseGently(_descriptors[peer]);
            Array.Fill(_descriptors, -1);
        }
    }

    /// <summary>A frame is small and control connections are nearly always empty, so it goes in one piece; where it does not, the peer is
    /// lost anyway.</summary>
    private bool Send(int peer, in Frame frame)
    {
        lock (_writing)
        {
            return _descriptors[peer] >= 0
                && Sockets.Write(_descriptors[peer], MemoryMarshal.AsBytes(new ReadOnlySpan<Frame>(in frame))) == Unsafe.SizeOf<Frame>();
        }
    }

    private void Listen()
    {
        int count = _descriptors.Length;
        var entries = new Sockets.PollEntry[count + 1];
        byte[][] frames = [.. _descriptors.Select(_ => new byte[Unsafe.SizeOf<Frame>()])];
        int[] filled = new int[count];
        for (int peer = 0; peer < count; peer++)
            entries[peer] = new Sockets.PollEntry { Descriptor = _descriptors[peer], Events = Sockets.Readable };
        entries[count] = new Sockets.PollEntry { Descriptor = _stop.Descriptor, Events = Sockets.Readable };
        while (true)
        {
            fixed (Sockets.PollEntry* start = entries) Sockets.Poll(start, entries.Length, TimeSpan.FromMinutes(1));
            if (entries[count].Found != 0) return;
            for (int peer = 0; peer < count; peer++)
            {
                if (entries[peer].Found == 0 || Read(peer, frames[peer], ref filled[peer])) continue;
                entries[peer].Descriptor = -1;
                lock (_answers)
                {
                    _ended[peer] = true;
                    Monitor.PulseAll(_answers);
                }
            }
        }
    }

    /// <summary>Reads on; false when the connection has ended.</summary>
    private bool Read(int peer, byte[] frame, ref int filled)
    {
        long got = Sockets.Read(_descriptors[peer], frame.AsSpan(filled));
        if (got <= 0) return got is -Libc.WouldBlock or -Libc.Interrupted;
        filled += (int)got;
        if (filled < frame.Length) return true;
        filled = 0;
        Take(peer, MemoryMarshal.Read<Frame>(frame));
        return true;
    }

    private void Take(int peer, Frame frame)
    {
        switch (frame.Kind)
        {
            case FrameKind.Abort:
                RankId? culprit = (uint)frame.Culprit < (uint)_setup.World.Size ? _setup.World.Rank(frame.Culprit) : null;
                _aborted(new Failure(culprit, Encoding.UTF8.GetString(frame.Text[..Math.Clamp(frame.TextLength, 0, Frame.MaxText)])));
                break;
            case FrameKind.Ask:
                var (epoch, status) = (Volatile.Read(ref _ownEpoch), Volatile.Read(ref _ownStatus));
                Send(peer, new Frame { Kind = FrameKind.Answer, Epoch = epoch, Status = status });
                break;
            case FrameKind.Answer:
                lock (_answers)
                {
                    _status[peer] = StatusWord.Unpack((ulong)frame.Epoch, frame.Status);
                    _answered[peer]++;
                    Monitor.PulseAll(_answers);
                }
                break;
        }
    }

    private enum FrameKind
    {
        Abort = 1,
        Ask,
        Answer,
    }

    /// <summary>All frames have the same size, so that reading them needs no state but a count.</summary>
    private struct Frame
    {
        public const int MaxText = 480;

        public FrameKind Kind;
        public int Culprit;
        public long Epoch;
        public ulong Status;
        public int TextLength;
        private TextSpace _text;

        [System.Diagnostics.CodeAnalysis.UnscopedRef]
        public Span<byte> Text => _text;
    }

    [InlineArray(Frame.MaxText)]
    private struct TextSpace
    {
        private byte _first;
    }
}
