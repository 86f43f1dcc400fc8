using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>
/// Who waits for what in a schedule. Every operation begins and ends: it begins after the one before it in its program has ended, and what
/// it works on has been made on its rank. A rendezvous ends when both sides have begun; an eager send as soon as it has begun, its receive
/// when the send has ended; a dispatch or combine when the whole expert group has begun it, and work that tensor ranks share when all of
/// them have.
/// </summary>
internal sealed class ScheduleGraph
{
    private const int None = -1, Kinds = (int)OperationKind.SendRing + 1;

    private readonly Schedule _schedule;
    private readonly PipelineShape _shape;
    private readonly World _world;
    private readonly int[] _start; // [ranks + 1]: a rank's first operation, counted over all ranks
    private readonly int[] _index; // [ranks, kinds, steps + 1]: an operation's number, or None
    private readonly int _operations;

    // Nodes: begin and end of each operation, then one for each barrier. Who waits for a node is a list: first[node], next[edge].
    private readonly int[] _waits, _first;
    private int[] _next, _waiter;
    private int _edges;

    /// <summary>Builds the graph.</summary>
    public ScheduleGraph(Schedule schedule)
    {
        (_schedule, _shape, _world) = (schedule, schedule.Shape, schedule.World);
        _start = new int[_world.Size + 1];
        _index = new int[_world.Size * Kinds * (_shape.Steps + 1)];
        Array.Fill(_index, None);
        for (int rank = 0, number = 0; rank < _world.Size; rank++)
        {
            foreach (Operation op in schedule.Programs[rank]) _index[Key(rank, op)] = number++;
            _start[rank + 1] = number;
        }
        _operations = _start[^1];
        int nodes = 2 * _operations + _world.Layout.Stages * (2 + _world.Layout.Replicas) * (_shape.Steps + 1);
        (_waits, _first) = (new int[nodes], new int[nodes]);
        Array.Fill(_first, None);
        (_next, _waiter) = (new int[4 * _operations + 1], new int[4 * _operations + 1]);
        foreach (RankId rank in _world.Ranks) Connect(rank);
    }

    private static int Begin(int operation) => 2 * operation;

    private static int End(int operation) => 2 * operation + 1;

    private int Key(int rank, Operation op) => (rank * Kinds + (int)op.Kind) * (_shape.Steps + 1) + (int)op.Step.Value;

    private bool Meets(Operation op) => op.Kind is OperationKind.Dispatch or OperationKind.Combine
        || (op.Kind == OperationKind.Compute && _world.Layout.Tensor > 1);

    /// <summary>Where a rank meets others for an operation: its stage twice in a step, its tensor ranks once.</summary>
    private int Barrier(RankId rank, Operation op)
    {
        RankPlace place = _world.Place(rank);
        int meeting = op.Kind switch { OperationKind.Dispatch => 0, OperationKind.Combine => 1, _ => 2 + place.Replica };
        int group = place.Stage * (2 + _world.Layout.Replicas) + meeting;
        return 2 * _operations + group * (_shape.Steps + 1) + (int)op.Step.Value;
    }

    private RankGroup Group(RankId rank, Operation op)
    {
        RankPlace place = _world.Place(rank);
        return op.Kind == OperationKind.Compute ? _world.TensorRanks(place.Stage, place.Replica) : _world.Stage(place.Stage);
    }

    /// <summary>Lets everything happen that waits for nothing any more, until nothing more can.</summary>
    public void Run()
    {
        var ready = new Stack<int>();
        for (int node = 0; node < _waits.Length; node++)
            if (_waits[node] == 0) ready.Push(node);
        while (ready.TryPop(out int node))
        {
            for (int edge = _first[node]; edge != None; edge = _next[edge])
                if (--_waits[_waiter[edge]] == 0) ready.Push(_waiter[edge]);
        }
    }

    /// <summary>Where a rank stays when everything has happened that can, and for what; null if it ends its program.</summary>
    public ScheduleWait? WaitOf(RankId rank)
    {
        IReadOnlyList<Operation> program = _schedule.Programs[rank.Value];
        int at = 0;
        while (at < program.Count && Happened(End(_start[rank.Value] + at))) at++;
        if (at == program.Count) return null;
        Operation op = program[at];
        if (!Happened(Begin(_start[rank.Value] + at))) return Wait(rank, Needs(rank, op)!.Value);
        if (Partner(rank, op) is var (peer, other, _)) return Wait(peer, other);
        foreach (RankId member in Group(rank, op).Members)
        {
            int its = _index[Key(member.Value, op)];
            if (its == None || !Happened(Begin(its))) return Wait(member, op);
        }
        throw new InvalidOperationException($"{rank} {op}: nothing left to wait for");

        ScheduleWait Wait(RankId on, Operation until) => new(rank, op, on, until, _index[Key(on.Value, until)] == None);
    }

    private bool Happened(int node) => _waits[node] == 0;

    private void Connect(RankId rank)
    {
        int number = _start[rank.Value];
        foreach (Operation op in _schedule.Programs[rank.Value])
        {
            if (number > _start[rank.Value]) Waits(Begin(number), End(number - 1));
            if (Needs(rank, op) is { } data) Waits(Begin(number), Node(rank, data, begun: false));
            Waits(End(number), Begin(number));
            if (Partner(rank, op) is var (peer, other, mode))
            {
                if (mode == TransferMode.Rendezvous) Waits(End(number), Node(peer, other, begun: true));
                else if (op.Kind is OperationKind.Receive or OperationKind.AwaitRing)
                    Waits(End(number), Node(peer, other, begun: false));
            }
            else if (Meets(op))
            {
                Waits(End(number), Barrier(rank, op));
                Waits(Barrier(rank, op), Begin(number));
            }
            number++;
        }
        // A member that leaves a barrier out keeps the others there.
        for (var step = new StepId(1); step.Value <= _shape.Steps; step = step.Next)
        {
            ReadOnlySpan<OperationKind> kinds = [OperationKind.Compute, OperationKind.Dispatch, OperationKind.Combine];
            foreach (OperationKind kind in kinds)
            {
                var op = new Operation(kind, step);
                if (Meets(op) && _index[Key(rank.Value, op)] == None) Waits(Barrier(rank, op), None);
            }
        }
    }

    /// <summary>The node of another operation; None if it is in no program.</summary>
    private int Node(RankId rank, Operation op, bool begun)
    {
        int number = _index[Key(rank.Value, op)];
        return number == None ? None : begun ? Begin(number) : End(number);
    }

    /// <summary>What an operation needs that its own rank has to do before.</summary>
    private Operation? Needs(RankId rank, Operation op) => op.Kind switch
    {
        OperationKind.Compute when _world.Place(rank).Stage > 0 => op with { Kind = OperationKind.Receive },
        OperationKind.Compute when _shape.After(op.Step) is { Value: > 0 } after => new Operation(OperationKind.AwaitRing, after),
        OperationKind.Dispatch => op with { Kind = OperationKind.Compute },
        OperationKind.Combine => op with { Kind = OperationKind.Dispatch },
        OperationKind.Send or OperationKind.SendRing => op with { Kind = OperationKind.Combine },
        _ => null,
    };

    /// <summary>The other side of a transfer.</summary>
    private (RankId Rank, Operation Op, TransferMode Mode)? Partner(RankId rank, Operation op)
    {
        RankPlace place = _world.Place(rank);
        (int Stage, OperationKind Kind, TransferMode? Mode)? other = op.Kind switch
        {
            OperationKind.Receive => (place.Stage - 1, OperationKind.Send, _shape.Rows),
            OperationKind.Send => (place.Stage + 1, OperationKind.Receive, _shape.Rows),
            OperationKind.AwaitRing => (_world.Layout.Stages - 1, OperationKind.SendRing, _shape.Ring),
            OperationKind.SendRing => (0, OperationKind.AwaitRing, _shape.Ring),
            _ => null,
        };
        return other is not var (stage, kind, mode) ? null
            : (_world.RankAt(stage, place.Replica, place.Tensor), new Operation(kind, op.Step), mode!.Value);
    }

    /// <summary>A node happens after another; never, if there is none.</summary>
    private void Waits(int node, int on)
    {
        _waits[node]++;
        if (on == None) return;
        if (_edges == _next.Length)
        {
            Array.Resize(ref _next, 2 * _edges);
            Array.Resize(ref _waiter, 2 * _edges);
        }
        (_waiter[_edges], _next[_edges]) = (node, _first[on]);
        _first[on] = _edges++;
    }
}
