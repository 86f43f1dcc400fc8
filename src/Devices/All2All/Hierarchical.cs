using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>
/// One copy of a row per host that holds one of its experts, forwarded inside the host; partial sums are reduced inside the host first.
/// <para>What moves when. Dispatch: rows for experts on this rank's own host go to their ranks directly; for every other host, each row
/// goes once to this rank's relay there (<see cref="HostGrid"/>), with all its experts on that host. Every rank says a header to every
/// other. The relay sends each row on to the ranks of its host that hold one of its experts. Combine: ranks send the partial sums of a
/// remote row to its relay, which adds them in ascending rank order, rounds once, and sends one sum back; the source adds the hosts in
/// ascending order.</para>
/// <para>Bytes from each rank to other hosts, with N hosts and G = N (1 - C(E - E/N, K) / C(E, K)) hosts hit per row:
/// G (N-1)/N T (Hb + 8K + 8) out and G (N-1)/N T Hc back, instead of D (R-1)/R T of each; inside a host the rest of the D copies. Messages:
/// R/N - 1 + N - 1 each way of one's own, and as many forwarded; headers: R-1 each way.</para>
/// <para>When it wins: where the link between hosts is much slower than the one inside, and a row hits several ranks of a host. It pays
/// with one more hop. Legal with several hosts; labels in the configuration can make several of one machine.</para>
/// <para>After: the internode kernels of DeepEP (one copy per node over the network, NVLink inside).</para>
/// </summary>
internal sealed unsafe class Hierarchical : IAll2All
{
    private readonly IFabric _fabric;
    private readonly RankGroup _group;
    private readonly All2AllWindow _window;
    private readonly GroupLink _link;
    private readonly RowRouting _routing;
    private readonly DispatchHandle _handle;
    private readonly OwnRows _own;
    private readonly HostGrid _grid;
    private readonly HostRelay _relay;
    private readonly HostSums _sums;
    private readonly int[] _counts; // rows here by source
    private readonly NativeBuffer _slots, _partials;
    private bool _disposed;

    public Hierarchical(IFabric fabric, RankGroup group, All2AllWindow window, Epoch epoch, ExpertPlacement placement, Hosts hosts)
    {
        (_fabric, _group, _window) = (fabric, group, window);
        _link = new GroupLink(fabric, group, window, epoch);
        _grid = new HostGrid(hosts, group.Size);
        int self = _link.Position;
        int[] towards = [.. placement.Owners(self).ToArray().Select(owner => _grid.SameHost(owner, self) ? owner : _grid.Relay(self,
            owner))];
        _routing = new RowRouting(towards, group.Size, window.Shape, Traits);
        _handle = new DispatchHandle(null, group.Size * window.Shape.MaxTokens, window.Shape);
        _own = new OwnRows(Own(window.Inbox(self, 0, window.Shape.MaxTokens)), window);
        _relay = new HostRelay(fabric, group, window, _link, _grid, placement);
        _sums = new HostSums(fabric, window, hosts, _grid, self);
        _counts = new int[group.Size];
        _slots = new NativeBuffer((long)window.Shape.MaxTokens * window.SlotBytes);
        _partials = new NativeBuffer((long)group.Size * window.Shape.MaxTokens * window.PartialBytes);
    }

    public static Traits Traits { get; } = new(Strategy.Hierarchical);

    /// <inheritdoc/>
    public string Name => Strategies.NameOf(Strategy.Hierarchical);

    /// <inheritdoc/>
    public long BytesToOthers { get; private set; }

    private int Self => _link.Position;

    /// <inheritdoc/>
    public void PostDispatch(StepPoint at, HiddenRows hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens,
        bool leave = false)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        All2AllCheck.Dispatch(_window.Shape, Strategy.Hierarchical, _handle, hidden, experts, weights, tokens);
        _link.Begin(at, StepPhase.Dispatch, Strategy.Hierarchical, leave, tokens == 0);
        _routing.Route(experts, tokens);
        _own.Encode(hidden, tokens);
        byte* inbox = Own(_window.Inbox(Self, 0, _window.Shape.MaxTokens));
        _routing.WriteTrailers(Self, experts, weights, inbox + _window.TrailerAt, _window.SlotBytes);
        for (int i = 1; i < _group.Size; i++)
        {
            int member = (Self + i) % _group.Size, rows = _routing.Count(member);
            if (rows > 0) Send(member, rows, experts, weights);
            _link.Notify(member, rows);
        }
    }

    /// <inheritdoc/>
    public DispatchHandle WaitDispatch()
    {
        _handle.Open();
        for (int member = 0; member < _group.Size; member++)
            _counts[member] = member == Self ? _routing.Count(Self) : _link.Wait(member);
        BytesToOthers += _relay.Forward(_counts);
        for (int source = 0; source < _group.Size; source++)
        {
            if (!_grid.SameHost(source, Self) && _grid.Relay(source, Self) != Self)
                _counts[source] = _link.WaitForwarded(_grid.Relay(source, Self), StepPhase.Dispatch, source);
            AddRows(source, _counts[source]);
        }
        _handle.Settle(_handle.Rows, _handle.Rows, new StepVerdict(_link.Leave, _link.AllIdle));
        return _handle;
    }

    /// <inheritdoc/>
    public void PostCombine(StepPoint at, DispatchHandle handle)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (handle != _handle) throw new ArgumentException("this handle comes from another strategy", nameof(handle));
        handle.Consume();
        _link.Begin(at, StepPhase.Combine, Strategy.Hierarchical, false, handle.Rows == 0);
        for (int i = 1; i < _group.Size; i++)
        {
            int source = (Self + i) % _group.Size, rows = _counts[source];
            bool near = _grid.SameHost(source, Self);
            int to = near ? source : _grid.Relay(source, Self);
            if (to == Self) continue;
            var sums = new ReadOnlySpan<byte>(Partials(source), rows * _window.PartialBytes);
            if (rows > 0)
                _fabric.Put(_group[to], near ? _window.Back(Self, 0, rows)
                    : _window.Gather(_relay.ServedIndex(source, to), _grid.Place(Self), 0, rows), sums);
            BytesToOthers += sums.Length;
            if (!near) _link.NotifyForwarded(to, StepPhase.Combine, source, rows);
        }
    }

    /// <inheritdoc/>
    public void WaitCombine(Span<float> output)
    {
        All2AllCheck.Output(output.Length, _routing.Tokens, _window.Shape);
        WaitForSums();
        fixed (float* to = output)
            for (int token = 0; token < _routing.Tokens; token++) _sums.Add(_routing, token, to + (long)token * _window.Shape.Hidden);
    }

    /// <inheritdoc/>
    public void WaitCombine(Span<ushort> output)
    {
        All2AllCheck.Output(output.Length, _routing.Tokens, _window.Shape);
        WaitForSums();
        fixed (ushort* to = output)
            for (int token = 0; token < _routing.Tokens; token++) _sums.Add(_routing, token, to + (long)token * _window.Shape.Hidden);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _slots.Dispose();
        _partials.Dispose();
        _relay.Dispose();
        _sums.Dispose();
    }

    private void Send(int member, int rows, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights)
    {
        byte* slots = _slots.Data;
        _routing.WriteTrailers(member, experts, weights, slots + _window.TrailerAt, _window.SlotBytes);
        ReadOnlySpan<int> tokens = _routing.TokensOf(member);
        for (int row = 0; row < rows; row++)
            NativeMemory.Copy(_own.Row(tokens[row]), slots + (long)row * _window.SlotBytes, (nuint)_window.RowBytes);
        Region place = _grid.SameHost(member, Self) ? _window.Inbox(Self, 0, rows)
            : _window.Transit(_relay.ServedIndex(Self, member), 0, rows);
        _fabric.Put(_group[member], place, new ReadOnlySpan<byte>(slots, rows * _window.SlotBytes));
        BytesToOthers += (long)rows * _window.SlotBytes;
    }

    private void AddRows(int source, int rows)
    {
        byte* inbox = Own(_window.Inbox(source, 0, _window.Shape.MaxTokens)), sums = Partials(source);
        for (int row = 0; row < rows; row++)
        {
            byte* slot = inbox + (long)row * _window.SlotBytes;
            int* slots = (int*)(slot + _window.TrailerAt);
            int token = All2AllCheck.Token(slots, _window.Shape, _link, source);
            _handle.Add(source == Self ? _own.Row(token) : slot, slots, sums + (long)row * _window.PartialBytes);
        }
    }

    /// <summary>Where this rank's partial sums of a source's rows are made: where they are added, if that is here.</summary>
    private byte* Partials(int source) =>
        source == Self ? Own(_window.Back(Self, 0, _window.Shape.MaxTokens))
        : !_grid.SameHost(source, Self) && _grid.Relay(source, Self) == Self
            ? Own(_window.Gather(_relay.ServedIndex(source, Self), _grid.Place(Self), 0, _window.Shape.MaxTokens))
            : _partials.Data + (long)source * _window.Shape.MaxTokens * _window.PartialBytes;

    private void WaitForSums()
    {
        BytesToOthers += _relay.Reduce();
        for (int i = 1; i < _group.Size; i++) _link.Notify((Self + i) % _group.Size, 0);
        for (int i = 1; i < _group.Size; i++) _link.Wait((Self + i) % _group.Size);
    }

    private byte* Own(Region region)
    {
        fixed (byte* at = _fabric.Local(region)) return at; // windows never move
    }
}
