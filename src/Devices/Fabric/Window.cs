using System.Text;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric;

/// <summary>One rank's window as another rank (or itself) addresses it.</summary>
internal sealed unsafe class Window(IWindowMemory memory, WindowLayout layout) : IDisposable
{
    private readonly byte* _base = memory.Base;

    public ref FabricIdentity Identity => ref *(FabricIdentity*)_base;

    /// <summary>The start of the planned bytes.</summary>
    public byte* Data => _base + layout.DataOffset;

    /// <summary>0 while its rank is awake, else 1 + the rank whose Notify it sleeps for.</summary>
    public uint* Bell => (uint*)(_base + WindowLayout.BellOffset);

    /// <summary>Set when the owner has disposed its fabric.</summary>
    public uint* Closed => (uint*)(_base + WindowLayout.ClosedOffset);

    public AbortRecord* Abort => (AbortRecord*)(_base + WindowLayout.AbortOffset);

    public ulong* Flag(int source, int flag) => (ulong*)(_base + layout.FlagOffset(source, flag));

    public bool OwnerGone => Volatile.Read(ref *Closed) != 0 || memory.OwnerDied();

    public StepPoint Status
    {
        get
        {
            var words = (ulong*)(_base + WindowLayout.StatusOffset);
            return StatusWord.Unpack(Volatile.Read(ref words[0]), Volatile.Read(ref words[1]));
        }
        set
        {
            var words = (ulong*)(_base + WindowLayout.StatusOffset);
            Volatile.Write(ref words[0], (ulong)value.Epoch.Value);
            Volatile.Write(ref words[1], StatusWord.Pack(value));
        }
    }

    /// <summary>Wakes the owner if it sleeps for <paramref name="source"/>. The caller has stored, with a full fence, what the owner
    /// checks.</summary>
    public void Ring(int source)
    {
        if (TakeBell(source)) Libc.FutexWake(Bell);
    }

    /// <summary>Whether the owner sleeps for <paramref name="source"/> and it is on the caller to wake it, as <see cref="Ring"/>
    /// does.</summary>
    public bool TakeBell(int source)
    {
        uint sleeping = Volatile.Read(ref *Bell);
        return sleeping == 1 + (uint)source && Interlocked.CompareExchange(ref *Bell, 0, sleeping) == sleeping;
    }

    /// <summary>Wakes the owner whatever it sleeps for.</summary>
    public void RingAlways()
    {
        if (Interlocked.Exchange(ref *Bell, 0) != 0) Libc.FutexWake(Bell);
    }

    /// <summary>Takes the right to write the abort record; false when somebody was first.</summary>
    public bool ClaimAbort() => Interlocked.CompareExchange(ref Abort->State, AbortRecord.Claimed, AbortRecord.None) == AbortRecord.None;

    /// <summary>Writes the abort record that was claimed.</summary>
    public void PublishAbort(int culprit, string reason)
    {
        var record = new Span<byte>(Abort->Reason, AbortRecord.MaxReason);
        Encoding.UTF8.GetEncoder().Convert(reason, record, flush: false, out _, out int length, out _); // cuts between characters
        Abort->Culprit = culprit;
        Abort->ReasonLength = length;
        Volatile.Write(ref Abort->State, AbortRecord.Published);
    }

    /// <summary>Why the epoch was aborted, once it was. Culprit is -1 where nobody is to blame.</summary>
    public bool TryReadAbort(out int culprit, out string reason)
    {
        bool published = Volatile.Read(ref Abort->State) == AbortRecord.Published;
        culprit = published ? Abort->Culprit : -1;
        reason = published ? Encoding.UTF8.GetString(Abort->Reason, Math.Clamp(Abort->ReasonLength, 0, AbortRecord.MaxReason)) : "";
        return published;
    }

    public void Dispose() => memory.Dispose();
}

/// <summary>A point of a step in 64 bits, so that it is stored and read whole: step (40 bits), layer (16), phase (8).</summary>
internal static class StatusWord
{
    public static ulong Pack(StepPoint point) => (ulong)point.Step.Value << 24 | (ulong)(ushort)point.Layer.Value << 8 | (byte)point.Phase;

    public static StepPoint Unpack(ulong epoch, ulong word) =>
        new(new Epoch((long)epoch), new StepId((long)(word >> 24)), new LayerIndex((ushort)(word >> 8)), (StepPhase)(byte)word);
}
