using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>
/// Where rows and partial sums lie, by member: in this rank's window, in a peer's where that is addressable, or in memory of one's own on
/// their way to a Put.
/// </summary>
internal sealed unsafe class Peers : IDisposable
{
    private readonly IFabric _fabric;
    private readonly RankGroup _group;
    private readonly All2AllWindow _window;
    private readonly bool _pullSums;
    private readonly int _self;
    private readonly byte*[] _inbox, _outgoing, _published, _sumsFor, _sumsOf;
    private readonly bool[] _mapped;
    private readonly NativeBuffer? _rows, _sums; // staging for peers that are not addressable

    public Peers(IFabric fabric, RankGroup group, All2AllWindow window, Traits traits)
    {
        (_fabric, _group, _window, _pullSums, _self) = (fabric, group, window, traits.PullSums, group.IndexOf(fabric.Self));
        int members = group.Size, most = window.Shape.MaxTokens;
        (_inbox, _outgoing, _published) = (new byte*[members], new byte*[members], new byte*[members]);
        (_sumsFor, _sumsOf, _mapped) = (new byte*[members], new byte*[members], new bool[members]);
        for (int m = 0; m < members; m++)
        {
            _inbox[m] = Own(window.Inbox(m, 0, most));
            _sumsOf[m] = Own(window.Back(m, 0, most));
            _sumsFor[m] = _sumsOf[m]; // this rank's own, and those that are pulled
            if (m == _self) continue;
            _mapped[m] = TryMap(m, window.Inbox(_self, 0, most), out _outgoing[m]);
            if (!_mapped[m]) continue;
            TryMap(m, window.Inbox(m, 0, most), out _published[m]);
            TryMap(m, window.Back(_self, 0, most), out byte* theirs);
            if (traits.PullSums) _sumsOf[m] = theirs;
            else _sumsFor[m] = theirs;
        }
        AllMapped = _mapped.Count(m => m) == members - 1;
        if (AllMapped) return;
        if (traits.NeedsMapping)
            throw new InvalidOperationException($"{Strategies.NameOf(traits.Strategy)} needs peers whose windows are addressable");
        _rows = new NativeBuffer((long)most * window.SlotBytes * members);
        _sums = new NativeBuffer((long)most * window.PartialBytes * members);
        for (int m = 0; m < members; m++)
        {
            if (m == _self || _mapped[m]) continue;
            _outgoing[m] = _rows.Data + (long)m * most * window.SlotBytes;
            _sumsFor[m] = _sums.Data + (long)m * most * window.PartialBytes;
        }
    }

    /// <summary>Whether a member's window is addressed directly.</summary>
    public bool IsMapped(int member) => _mapped[member];

    /// <summary>Whether those of all other members are.</summary>
    public bool AllMapped { get; }

    /// <summary>Where a member's rows arrive; this rank's own place holds its own rows.</summary>
    public byte* Inbox(int member) => _inbox[member];

    /// <summary>Where slots for a member are written: its inbox, or memory from which <see cref="Flush"/> sends them.</summary>
    public byte* Outgoing(int member) => _outgoing[member];

    /// <summary>Bytes from one partial sum to the next.</summary>
    public int SumBytes => _window.PartialBytes;

    /// <summary>A row that a member has published.</summary>
    public byte* Published(int member, int token) => _published[member] + (long)token * _window.SlotBytes;

    /// <summary>Where the partial sums of a member's rows are written.</summary>
    public byte* SumsFor(int member) => _sumsFor[member];

    /// <summary>Where the partial sums of this rank's rows lie that a member made.</summary>
    public byte* SumsOf(int member) => _sumsOf[member];

    /// <summary>Sends slots [first, end) where they are not there already.</summary>
    public void Flush(int member, int first, int end)
    {
        if (_mapped[member] || end <= first) return;
        long at = (long)first * _window.SlotBytes, bytes = (long)(end - first) * _window.SlotBytes;
        _fabric.Put(_group[member], _window.Inbox(_self, first, end - first), new ReadOnlySpan<byte>(_outgoing[member] + at, (int)bytes));
    }

    /// <summary>Sends the partial sums of a member's rows [first, end) back where they are not there already.</summary>
    public void ReturnSums(int member, int first, int end)
    {
        if (_mapped[member] || end <= first) return;
        long at = (long)first * _window.PartialBytes, bytes = (long)(end - first) * _window.PartialBytes;
        _fabric.Put(_group[member], _window.Back(_self, first, end - first), new ReadOnlySpan<byte>(_sumsFor[member] + at, (int)bytes));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rows?.Dispose();
        _sums?.Dispose();
    }

    private byte* Own(Region region)
    {
        fixed (byte* at = _fabric.Local(region)) return at; // windows never move
    }

    private bool TryMap(int member, Region region, out byte* at)
    {
        bool can = _fabric.TryMap(_group[member], region, out Span<byte> mapped);
        fixed (byte* start = mapped) at = start;
        return can;
    }
}
