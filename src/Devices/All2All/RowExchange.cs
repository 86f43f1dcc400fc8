using System.Runtime.CompilerServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>
/// Dispatch and combine in which each rank deals with every other rank directly, in the way that its <see cref="Traits"/> say. Dispatch:
/// decide which rank gets which row (<see cref="RowRouting"/>), encode, copy or publish, announce; combine: announce, and add what came
/// back in the one order (<see cref="PartialSums"/>).
/// </summary>
internal sealed unsafe class RowExchange : IAll2All, ITiles
{
    private readonly IFabric _fabric;
    private readonly All2AllWindow _window;
    private readonly Traits _traits;
    private readonly GroupLink _link;
    private readonly RowRouting _routing;
    private readonly DispatchHandle _handle;
    private readonly Peers _peers;
    private readonly OwnRows _own;
    private readonly SumReader _sums;
    private readonly int[] _start, _arrived, _told; // by member: its first row in the handle, rows seen of it, sums told to it
    private readonly int[] _order;                  // members in the order of their rows in the handle: this rank first
    private bool _disposed;

    public RowExchange(IFabric fabric, RankGroup group, All2AllWindow window, Epoch epoch, ExpertPlacement placement, Hosts hosts,
        Traits traits)
    {
        (_fabric, _window, _traits) = (fabric, window, traits);
        if (group.Size != window.Members)
            throw new ArgumentException($"the window was planned for groups of {window.Members} ranks, got {group.Size}", nameof(group));
        _link = new GroupLink(fabric, group, window, epoch);
        _routing = new RowRouting(placement.Owners(_link.Position).ToArray(), group.Size, window.Shape, traits);
        _peers = new Peers(fabric, group, window, traits);
        _own = new OwnRows(_peers.Inbox(_link.Position), window) { Publish = traits.PullRows };
        _sums = new SumReader(hosts, window.Shape, group.Size);
        _handle = new DispatchHandle(this, group.Size * window.Shape.MaxTokens, window.Shape);
        (_start, _arrived, _told) = (new int[group.Size + 1], new int[group.Size], new int[group.Size]);
        _order = [.. Enumerable.Range(0, group.Size).Select(i => (_link.Position + i) % group.Size)];
    }

    /// <inheritdoc/>
    public string Name => Strategies.NameOf(_traits.Strategy);

    /// <inheritdoc/>
    public long BytesToOthers { get; private set; }

    private int Members => _order.Length;

    private int Self => _link.Position;

    private bool Tiled => _traits.Tiles > 0;

    /// <inheritdoc/>
    public void PostDispatch(StepPoint at, HiddenRows hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens,
        bool leave = false)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        All2AllCheck.Dispatch(_window.Shape, _traits.Strategy, _handle, hidden, experts, weights, tokens);
        _link.Begin(at, StepPhase.Dispatch, _traits.Strategy, leave, tokens == 0);
        _routing.Route(experts, tokens);
        _own.Encode(hidden, tokens);
        _routing.WriteTrailers(Self, experts, weights, _peers.Inbox(Self) + _window.TrailerAt, _window.SlotBytes);
        for (int i = 1; i < Members; i++) Send(_order[i], experts, weights);
    }

    /// <inheritdoc/>
    public DispatchHandle WaitDispatch()
    {
        _handle.Open();
        for (int i = 0; i < Members; i++)
        {
            int member = _order[i];
            int rows = member == Self ? _routing.Count(Self) : _link.Wait(member);
            (_start[member], _arrived[member], _told[member]) = (_handle.Rows, Tiled && member != Self ? 0 : rows, 0);
            AddRows(member, rows);
        }
        _handle.Settle(Tiled ? _routing.Count(Self) : _handle.Rows, StreamedFrom(_routing.Count(Self)),
            new StepVerdict(_link.Leave, _link.AllIdle));
        return _handle;
    }

    /// <inheritdoc/>
    public void PostCombine(StepPoint at, DispatchHandle handle)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (handle != _handle) throw new ArgumentException("this handle comes from another strategy", nameof(handle));
        Finished(handle.Rows);
        handle.Consume();
        _link.Begin(at, StepPhase.Combine, _traits.Strategy, false, handle.Rows == 0);
        for (int i = 1; i < Members; i++)
        {
            int member = _order[i], rows = RowsOf(i);
            if (!Tiled && !_traits.PullSums) _peers.ReturnSums(member, 0, rows);
            BytesToOthers += (long)rows * _window.Shape.Rows.Partial().RowBytes(_window.Shape.Hidden);
            _arrived[member] = 0;
            _link.Notify(member, rows);
        }
    }

    /// <inheritdoc/>
    public void WaitCombine(Span<float> output)
    {
        All2AllCheck.Output(output.Length, _routing.Tokens, _window.Shape);
        if (!Tiled) WaitForSums();
        fixed (float* to = output)
        {
            for (int token = 0; token < _routing.Tokens; token++)
            {
                if (Tiled) WaitForSums(token);
                _sums.Add(_routing, _peers, token, to + (long)token * _window.Shape.Hidden);
            }
        }
        if (Tiled) WaitForSums();
    }

    /// <inheritdoc/>
    public void WaitCombine(Span<ushort> output)
    {
        All2AllCheck.Output(output.Length, _routing.Tokens, _window.Shape);
        if (!Tiled) WaitForSums();
        fixed (ushort* to = output)
        {
            for (int token = 0; token < _routing.Tokens; token++)
            {
                if (Tiled) WaitForSums(token);
                _sums.Add(_routing, _peers, token, to + (long)token * _window.Shape.Hidden);
            }
        }
        if (Tiled) WaitForSums();
    }

    /// <inheritdoc/>
    public int Arrived(int row)
    {
        int i = 0;
        while (i + 1 < Members && row >= _start[_order[i + 1]]) i++;
        int member = _order[i], wanted = row - _start[member] + 1;
        if (_arrived[member] < wanted) _arrived[member] = _link.WaitRows(member, wanted);
        return _start[member] + _arrived[member];
    }

    /// <inheritdoc/>
    public void Finished(int end)
    {
        if (!Tiled) return; // the combine announces all at once
        for (int i = 1; i < Members; i++)
        {
            int member = _order[i], rows = RowsOf(i), done = Math.Clamp(end - _start[member], 0, rows);
            if (done - _told[member] < (done == rows ? 1 : TileRows(rows))) continue;
            if (!_traits.PullSums) _peers.ReturnSums(member, _told[member], done);
            _link.NotifySums(member, done);
            _told[member] = done;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _peers.Dispose();
        _sums.Dispose();
    }

    private int RowsOf(int order) => (order + 1 < Members ? _start[_order[order + 1]] : _handle.Rows) - _start[_order[order]];

    private void Send(int member, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights)
    {
        int rows = _routing.Count(member);
        BytesToOthers += (long)rows * (_window.RowBytes + sizeof(int) * (2 + 2 * _window.Shape.TopK));
        byte* slots = _peers.Outgoing(member);
        if (Tiled) _link.Notify(member, rows);
        _routing.WriteTrailers(member, experts, weights, slots + _window.TrailerAt, _window.SlotBytes,
            IsStreamed(member) ? _window.TrailerBytes : 0);
        if (Tiled)
        {
            SendTiles(member, rows, slots);
            return;
        }
        if (!_traits.PullRows) CopyRows(member, 0, rows, slots);
        _peers.Flush(member, 0, rows);
        _link.Notify(member, rows);
    }

    private void SendTiles(int member, int rows, byte* slots)
    {
        int tile = TileRows(rows);
        for (int first = 0; first < rows; first += tile)
        {
            int end = Math.Min(rows, first + tile);
            CopyRows(member, first, end, slots);
            _peers.Flush(member, first, end);
            _link.NotifyRows(member, end);
        }
    }

    private void CopyRows(int member, int first, int end, byte* slots)
    {
        ReadOnlySpan<int> tokens = _routing.TokensOf(member);
        bool streamed = IsStreamed(member);
        for (int row = first; row < end; row++)
        {
            byte* to = slots + (long)row * _window.SlotBytes, from = _own.Row(tokens[row]);
            if (streamed) Streamed.Copy(from, to, _window.RowBytes);
            else Unsafe.CopyBlockUnaligned(to, from, (uint)_window.RowBytes);
        }
    }

    private void AddRows(int member, int rows)
    {
        byte* inbox = _peers.Inbox(member), sums = _peers.SumsFor(member);
        for (int row = 0; row < rows; row++)
        {
            byte* slot = inbox + (long)row * _window.SlotBytes;
            int* slots = (int*)(slot + _window.TrailerAt);
            int token = All2AllCheck.Token(slots, _window.Shape, _link, member);
            byte* at = member == Self ? _own.Row(token) : _traits.PullRows ? _peers.Published(member, token) : slot;
            _handle.Add(at, slots, sums + (long)row * _window.PartialBytes);
        }
    }

    private bool IsStreamed(int member) =>
        _peers.IsMapped(member) && (long)_routing.Count(member) * _window.RowBytes >= Streamed.Least;

    /// <summary>From which row on partial sums are: those of the peers, which follow this rank's own.</summary>
    private int StreamedFrom(int own) =>
        _peers.AllMapped && (long)(_handle.Rows - own) * _window.PartialBytes >= Streamed.Least ? own : _handle.Rows;

    private int TileRows(int rows) => Math.Max(1, (rows + _traits.Tiles - 1) / _traits.Tiles);

    private void WaitForSums(int token)
    {
        for (int member = 0; member < Members; member++)
        {
            int slot = _routing.Slot(token, member);
            if (slot >= _arrived[member] && member != Self) _arrived[member] = _link.WaitSums(member, slot + 1);
        }
    }

    private void WaitForSums()
    {
        for (int i = 1; i < Members; i++)
        {
            int member = _order[i], sums = _link.Wait(member);
            if (sums != _routing.Count(member))
                throw _link.Refuse(_link.Group[member], $"sent {sums} partial sums for {_routing.Count(member)} rows");
        }
    }
}
