using Troupe.Devices.Fabric;

namespace Troupe.Devices.All2All;

/// <summary>
/// The window space of one group and shape, shared by all strategies, since a dispatch and its combine are done before the next begins. At
/// each member, per source: an inbox of row slots, and room for the partial sums that come back. One buffer each suffices: every dispatch
/// and every combine waits for a header of every member, so a member that writes an inbox again has heard that its reader has combined,
/// and one that writes partial sums again has heard that their reader has begun the next dispatch.
/// </summary>
/// <remarks>A row slot: the row in its wire type; then at a multiple of 4 the count of slots, K expert ids, K weights, and the
/// token.</remarks>
public sealed class All2AllWindow
{
    internal const int Line = 64;
    private readonly Region _inbox, _back, _greetings, _transit, _gather;
    private readonly FlagRange _flags, _forward;
    private readonly int _widest;

    private All2AllWindow(WindowPlan plan, int members, All2AllShape shape, Hosts hosts)
    {
        (Members, Shape, Hosts) = (members, shape, hosts.Count);
        RowBytes = shape.Rows.RowBytes(shape.Hidden);
        TrailerAt = (RowBytes + 3) / 4 * 4;
        SlotBytes = Round(TrailerAt + sizeof(int) * (2 + 2 * shape.TopK));
        PartialBytes = Round(shape.Rows.Partial().RowBytes(shape.Hidden));
        _inbox = plan.Reserve(checked((long)members * shape.MaxTokens * SlotBytes));
        _back = plan.Reserve(checked((long)members * shape.MaxTokens * PartialBytes));
        _greetings = plan.Reserve((long)members * Line);
        _flags = plan.ReserveFlags(4);
        if (hosts.Count == 1) return;
        var grid = new HostGrid(hosts, members);
        _widest = grid.Widest;
        _transit = plan.Reserve(checked((long)grid.MostServed * shape.MaxTokens * SlotBytes));
        _gather = plan.Reserve(checked((long)grid.MostServed * grid.Widest * shape.MaxTokens * PartialBytes));
        _forward = plan.ReserveFlags(2 * members);
    }

    /// <summary>Members of the groups that may use it.</summary>
    public int Members { get; }

    /// <summary>Hosts of the groups that may use it.</summary>
    public int Hosts { get; }

    /// <summary>What it was made for.</summary>
    public All2AllShape Shape { get; }

    internal int RowBytes { get; }

    internal int TrailerAt { get; }

    internal int SlotBytes { get; }

    /// <summary>Bytes behind a row, to the end of its slot's last line.</summary>
    internal int TrailerBytes => SlotBytes - TrailerAt;

    internal int PartialBytes { get; }

    internal int DispatchFlag => _flags[0];

    internal int CombineFlag => _flags[1];

    internal int RowsFlag => _flags[2];

    internal int SumsFlag => _flags[3];

    /// <summary>
    /// Reserves for groups of this size; every rank of the world does, with the same hosts. A group of one needs nothing.
    /// </summary>
    /// <exception cref="ArgumentException">A shape that headers cannot hold.</exception>
    public static All2AllWindow? Reserve(WindowPlan plan, int members, All2AllShape shape, Hosts? hosts = null)
    {
        if (shape.Problem() is { } problem) throw new ArgumentException(problem, nameof(shape));
        return members == 1 ? null : new All2AllWindow(plan, members, shape, hosts ?? All2All.Hosts.One(members));
    }

    /// <summary>Slots [first, first + count) of a source's inbox.</summary>
    internal Region Inbox(int source, int first, int count) =>
        _inbox.Slice(((long)source * Shape.MaxTokens + first) * SlotBytes, (long)count * SlotBytes);

    /// <summary>Partial sums [first, first + count) to or of a member.</summary>
    internal Region Back(int member, int first, int count) =>
        _back.Slice(((long)member * Shape.MaxTokens + first) * PartialBytes, (long)count * PartialBytes);

    /// <summary>At a relay: slots [first, first + count) of the rows of the source it serves at this index.</summary>
    internal Region Transit(int served, int first, int count) =>
        _transit.Slice(((long)served * Shape.MaxTokens + first) * SlotBytes, (long)count * SlotBytes);

    /// <summary>At a relay: partial sums of a served source's rows, made by the member at a place of the host.</summary>
    internal Region Gather(int served, int place, int first, int count) =>
        _gather.Slice((((long)served * _widest + place) * Shape.MaxTokens + first) * PartialBytes, (long)count * PartialBytes);

    internal int ForwardFlag(StepPhase phase, int source) => _forward[2 * source + (phase == StepPhase.Combine ? 1 : 0)];

    internal Region Greeting(int source) => _greetings.Slice((long)source * Line, 24);

    private static int Round(int bytes) => (bytes + Line - 1) / Line * Line;
}
