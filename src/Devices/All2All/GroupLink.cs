using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>
/// How the ranks of a group notify each other, and notice that they do not do the same. What a rank says first in every dispatch and every
/// combine is one 64-bit flag: step (36 bits), layer (9), phase (1), strategy (3), leave (1), idle (1), rows (13), the highest first. It
/// only grows, so it is a fabric flag as it is; it is exact, so a rank that is a step, a layer or a phase behind or ahead, or uses another
/// strategy, is noticed by every rank it talks to. Epoch, capacity, hidden, top-k and row type never change in the life of the windows:
/// they are said once, in a greeting that the first dispatch checks.
/// </summary>
internal sealed unsafe class GroupLink
{
    private const int LowBits = 18, RowBits = 13, LayerBits = 9;
    private const ulong LeaveBit = 1UL << (RowBits + 1), IdleBit = 1UL << RowBits, RowMask = IdleBit - 1;

    private readonly IFabric _fabric;
    private readonly All2AllWindow _window;
    private readonly Greeting _greeting;
    private readonly bool[] _greeted;
    private StepPoint _at;
    private Strategy _strategy;
    private ulong _header;

    public GroupLink(IFabric fabric, RankGroup group, All2AllWindow window, Epoch epoch)
    {
        (_fabric, Group, _window) = (fabric, group, window);
        Position = group.IndexOf(fabric.Self);
        _greeted = new bool[group.Size];
        _greeting = Greeting.Of(epoch, window.Shape);
        for (int member = 0; member < group.Size; member++)
        {
            if (member == Position) continue;
            fixed (Greeting* mine = &_greeting)
                fabric.Put(group[member], window.Greeting(Position), new ReadOnlySpan<byte>(mine, sizeof(Greeting)));
        }
    }

    /// <summary>Who talks.</summary>
    public RankGroup Group { get; }

    /// <summary>This rank's position in the group.</summary>
    public int Position { get; }

    /// <summary>Whether a header since <see cref="Begin"/>, this rank's own included, asked to leave.</summary>
    public bool Leave { get; private set; }

    /// <summary>Whether all headers since <see cref="Begin"/> came from ranks without rows.</summary>
    public bool AllIdle { get; private set; }

    // Dispatch and combine have a flag each: a fast rank announces its partial sums before a slow one has looked at its rows.
    private int HeaderFlag => _at.Phase == StepPhase.Combine ? _window.CombineFlag : _window.DispatchFlag;

    /// <summary>Starts a phase of a step on this rank.</summary>
    public void Begin(StepPoint at, StepPhase phase, Strategy strategy, bool leave, bool idle)
    {
        (_at, _strategy, Leave, AllIdle) = (at with { Phase = phase }, strategy, leave, idle);
        if ((ulong)at.Step.Value >= 1UL << 36 || (uint)at.Layer.Value >= 1 << LayerBits)
            throw new ArgumentOutOfRangeException(nameof(at), $"a header holds steps below 2^36 and layers below 2^9, got {at}");
        _fabric.SetStatus(_at);
        if (at.Epoch.Value != _greeting.Epoch)
            throw Refuse(_fabric.Self, $"was asked for {at.Epoch} on windows of {new Epoch(_greeting.Epoch)}");
        ulong order = ((ulong)at.Step.Value << LayerBits | (uint)at.Layer.Value) << 1 | (phase == StepPhase.Combine ? 1u : 0u);
        _header = order << LowBits | (ulong)strategy << (RowBits + 2) | (leave ? LeaveBit : 0) | (idle ? IdleBit : 0);
    }

    /// <summary>Tells a member that what was sent to it in this phase is there: so many rows.</summary>
    public void Notify(int member, int rows) => _fabric.Notify(Group[member], HeaderFlag, _header | (uint)rows);

    /// <summary>Waits for a member's header and checks it.</summary>
    /// <returns>The rows it sent here.</returns>
    public int Wait(int member)
    {
        ulong seen = _fabric.Wait(Group[member], HeaderFlag, _header >> LowBits << LowBits);
        if (!_greeted[member]) CheckGreeting(member);
        int rows = (int)(seen & RowMask);
        if ((seen ^ _header) >> (RowBits + 2) != 0 || rows > _window.Shape.MaxTokens)
            throw Refuse(Group[member], $"sent {Text(seen)} where {_fabric.Self} sent {Text(_header)}: "
                + "step, layer, phase and strategy must be equal in the group, and rows within capacity");
        Leave |= (seen & LeaveBit) != 0;
        AllIdle &= (seen & IdleBit) != 0;
        return rows;
    }

    /// <summary>Tells a member that so many rows of this dispatch are there, for strategies that send in tiles.</summary>
    public void NotifyRows(int member, int rows) => _fabric.Notify(Group[member], _window.RowsFlag, Tile(StepPhase.Dispatch, rows));

    /// <summary>Tells a member that so many partial sums of its rows are there; this rank's combine need not have begun.</summary>
    public void NotifySums(int member, int rows) => _fabric.Notify(Group[member], _window.SumsFlag, Tile(StepPhase.Combine, rows));

    /// <summary>Waits until a member has sent so many rows of this dispatch.</summary>
    /// <returns>How many there are now.</returns>
    public int WaitRows(int member, int rows) => WaitTile(member, _window.RowsFlag, StepPhase.Dispatch, rows);

    /// <summary>Waits until so many partial sums of this rank's rows are at a member.</summary>
    /// <returns>How many there are now.</returns>
    public int WaitSums(int member, int rows) => WaitTile(member, _window.SumsFlag, StepPhase.Combine, rows);

    /// <summary>Aborts the epoch because of what a rank sent; throw the result.</summary>
    public FabricException Refuse(RankId culprit, string reason)
    {
        _fabric.Abort(culprit, reason);
        return new FabricException(_fabric.Self, culprit, _at, reason);
    }

    /// <summary>Tells a member how many rows or partial sums of another member were forwarded to it.</summary>
    public void NotifyForwarded(int member, StepPhase phase, int source, int rows) =>
        _fabric.Notify(Group[member], _window.ForwardFlag(phase, source), Tile(phase, rows));

    /// <summary>Waits for what a member forwards of another.</summary>
    /// <returns>How many rows or partial sums.</returns>
    public int WaitForwarded(int member, StepPhase phase, int source) =>
        WaitTile(member, _window.ForwardFlag(phase, source), phase, 0);

    private ulong Tile(StepPhase phase, int rows) =>
        (_header >> (LowBits + 1) << 1 | (phase == StepPhase.Combine ? 1u : 0u)) << LowBits | (uint)rows;

    private int WaitTile(int member, int flag, StepPhase phase, int rows)
    {
        ulong wanted = Tile(phase, rows), seen = _fabric.Wait(Group[member], flag, wanted);
        return seen >> LowBits == wanted >> LowBits ? (int)(seen & RowMask)
            : throw Refuse(Group[member], $"was at {Text(seen)} where {_fabric.Self} waited for row {rows} of {Text(wanted)}");
    }

    private void CheckGreeting(int member)
    {
        fixed (byte* said = _fabric.Local(_window.Greeting(member)))
        {
            Greeting theirs = *(Greeting*)said;
            if (!theirs.Equals(_greeting))
                throw Refuse(Group[member],
                    $"sent [{theirs}] where {_fabric.Self} sent [{_greeting}]: all of it must be equal in the group");
        }
        _greeted[member] = true;
    }

    private string Text(ulong header)
    {
        ulong order = header >> LowBits;
        var strategy = (Strategy)(header >> (RowBits + 2) & 7);
        var point = new StepPoint(_at.Epoch, new StepId((long)(order >> (LayerBits + 1))),
            new LayerIndex((int)(order >> 1 & ((1 << LayerBits) - 1))), (order & 1) != 0 ? StepPhase.Combine : StepPhase.Dispatch);
        string name = Enum.IsDefined(strategy) ? Strategies.NameOf(strategy) : $"strategy {(int)strategy}";
        return $"[{point}, {name}, {header & RowMask} rows]";
    }
}

/// <summary>What a rank says once about the windows of a group.</summary>
internal readonly record struct Greeting(long Epoch, int Capacity, int Hidden, int TopK, int RowType)
{
    public static Greeting Of(Epoch epoch, All2AllShape shape) => new(epoch.Value, shape.MaxTokens, shape.Hidden, shape.TopK,
        (int)shape.Rows);

    /// <inheritdoc/>
    public override string ToString() =>
        $"epoch {Epoch}, capacity {Capacity}, hidden {Hidden}, top-k {TopK}, {(RowType)RowType} rows";
}
