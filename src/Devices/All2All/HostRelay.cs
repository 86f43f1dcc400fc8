using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>
/// What a rank does for sources of other hosts: sends their rows on to the ranks of its host, and adds up what those made of them.
/// </summary>
internal sealed unsafe class HostRelay : IDisposable
{
    private readonly IFabric _fabric;
    private readonly RankGroup _group;
    private readonly All2AllWindow _window;
    private readonly GroupLink _link;
    private readonly HostGrid _grid;
    private readonly ExpertPlacement _placement;
    private readonly int[][] _served; // by member, the sources it relays for
    private readonly int[] _members;  // of this host
    private readonly int[,] _rows;    // [served, place] rows sent on
    private readonly int[] _transit;  // by served source
    private readonly int[] _slots;    // [served, T, place] slot of the row there, -1 for none
    private readonly byte*[] _sums;
    private readonly NativeBuffer _out, _back, _sum;

    public HostRelay(IFabric fabric, RankGroup group, All2AllWindow window, GroupLink link, HostGrid grid, ExpertPlacement placement)
    {
        (_fabric, _group, _window, _link, _grid, _placement) = (fabric, group, window, link, grid, placement);
        _served = [.. Enumerable.Range(0, group.Size).Select(grid.Served)];
        _members = [.. Enumerable.Range(0, group.Size).Where(m => grid.SameHost(m, link.Position))];
        int mine = Mine.Length, places = _members.Length, most = window.Shape.MaxTokens;
        (_rows, _transit, _slots, _sums) = (new int[mine, places], new int[mine], new int[mine * most * places], new byte*[places]);
        _out = new NativeBuffer((long)places * most * window.SlotBytes);
        _back = new NativeBuffer((long)most * window.PartialBytes);
        _sum = NativeBuffer.OfFloats(window.Shape.Hidden);
    }

    private int Self => _link.Position;

    private int[] Mine => _served[Self];

    /// <summary>The index of a source among those that a relay serves.</summary>
    public int ServedIndex(int source, int relay) => Array.IndexOf(_served[relay], source);

    /// <summary>Sends the rows of all served sources on. counts: rows by source; those of served sources become the rows for this
    /// rank.</summary>
    /// <returns>Bytes to other ranks.</returns>
    public long Forward(int[] counts)
    {
        long bytes = 0;
        for (int served = 0; served < Mine.Length; served++)
        {
            int source = Mine[served];
            _transit[served] = counts[source];
            for (int place = 0; place < _members.Length; place++) _rows[served, place] = 0;
            for (int row = 0; row < counts[source]; row++) Spread(served, source, row);
            for (int place = 0; place < _members.Length; place++) bytes += SendOn(served, source, place);
            counts[source] = _rows[served, _grid.Place(Self)];
        }
        return bytes;
    }

    /// <summary>Adds up what the ranks of this host made of each served row, and sends the sums back.</summary>
    /// <returns>Bytes to other ranks.</returns>
    public long Reduce()
    {
        long bytes = 0;
        for (int served = 0; served < Mine.Length; served++)
        {
            int source = Mine[served], rows = _transit[served];
            foreach (int member in _members)
                if (member != Self) _link.WaitForwarded(member, StepPhase.Combine, source);
            for (int row = 0; row < rows; row++) Add(served, row, _back.Data + (long)row * _window.PartialBytes);
            if (rows > 0)
                _fabric.Put(_group[source], _window.Back(Self, 0, rows), new ReadOnlySpan<byte>(_back.Data, rows * _window.PartialBytes));
            bytes += (long)rows * _window.PartialBytes;
        }
        return bytes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _out.Dispose();
        _back.Dispose();
        _sum.Dispose();
    }

    /// <summary>Copies one row, with the experts that each needs, for every rank of this host that holds one of them.</summary>
    private void Spread(int served, int source, int row)
    {
        byte* slot = Own(_window.Transit(served, row, 1));
        int* trailer = (int*)(slot + _window.TrailerAt);
        int token = All2AllCheck.Token(trailer, _window.Shape, _link, source);
        float* weights = (float*)(trailer + 1 + _window.Shape.TopK);
        Span<int> slots = Slots(served, row);
        slots.Fill(-1);
        for (int k = 0; k < trailer[0]; k++)
        {
            int expert = trailer[1 + k];
            int owner = (uint)expert < (uint)_placement.Experts ? _placement.Owner(new ExpertId(expert), source) : -1;
            if (owner < 0 || !_grid.SameHost(owner, Self))
                throw _link.Refuse(_group[source], $"sent a row for expert {expert}, which is not on the host of {_fabric.Self}");
            int place = _grid.Place(owner);
            byte* to = Outgoing(served, source, place);
            if (slots[place] < 0)
            {
                slots[place] = _rows[served, place]++;
                byte* fresh = to + (long)slots[place] * _window.SlotBytes;
                NativeMemory.Copy(slot, fresh, (nuint)_window.RowBytes);
                int* head = (int*)(fresh + _window.TrailerAt);
                (head[0], head[1 + 2 * _window.Shape.TopK]) = (0, token);
            }
            int* there = (int*)(to + (long)slots[place] * _window.SlotBytes + _window.TrailerAt);
            int at = there[0]++;
            there[1 + at] = expert;
            ((float*)(there + 1 + _window.Shape.TopK))[at] = weights[k];
        }
    }

    private long SendOn(int served, int source, int place)
    {
        int member = _members[place], rows = _rows[served, place];
        if (member == Self) return 0;
        long bytes = (long)rows * _window.SlotBytes;
        if (rows > 0)
            _fabric.Put(_group[member], _window.Inbox(source, 0, rows), new ReadOnlySpan<byte>(Outgoing(served, source, place),
                (int)bytes));
        _link.NotifyForwarded(member, StepPhase.Dispatch, source, rows);
        return bytes;
    }

    private void Add(int served, int row, byte* to)
    {
        Span<int> slots = Slots(served, row);
        int count = 0;
        for (int place = 0; place < slots.Length; place++)
            if (slots[place] >= 0) _sums[count++] = Own(_window.Gather(served, place, slots[place], 1));
        fixed (byte** rows = _sums)
            PartialSums.Add(_window.Shape.Rows.Partial(), rows, count, (float*)_sum.Data, _window.Shape.Hidden);
        RowCodec.Encode(_window.Shape.Rows.Partial(), (float*)_sum.Data, to, _window.Shape.Hidden);
    }

    private Span<int> Slots(int served, int row) =>
        _slots.AsSpan((served * _window.Shape.MaxTokens + row) * _members.Length, _members.Length);

    // This rank's own share goes straight into its inbox; the others' is made here, one source after the other.
    private byte* Outgoing(int served, int source, int place) => _members[place] == Self
        ? Own(_window.Inbox(source, 0, _window.Shape.MaxTokens))
        : _out.Data + (long)place * _window.Shape.MaxTokens * _window.SlotBytes;

    private byte* Own(Region region)
    {
        fixed (byte* at = _fabric.Local(region)) return at; // windows never move
    }
}
