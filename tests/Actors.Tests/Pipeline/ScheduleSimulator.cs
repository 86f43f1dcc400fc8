using Troupe.Actors.Pipeline;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Tests.Pipeline;

/// <summary>
/// Runs a schedule by looking at every rank again and again, until nobody moves any more. Shares nothing with the checker: it knows no
/// graph, only what each operation does.
/// </summary>
internal sealed class ScheduleSimulator(Schedule schedule)
{
    private readonly int[] _at = new int[schedule.World.Size];
    private readonly HashSet<(int Rank, OperationKind Kind, long Step)> _did = [];

    /// <summary>Runs it.</summary>
    /// <returns>Where each rank stops, in rank order; null if it has come to its program's end.</returns>
    public Operation?[] Run()
    {
        bool moved = true;
        while (moved)
        {
            moved = false;
            foreach (RankId rank in schedule.World.Ranks)
                while (TryMove(rank.Value)) moved = true;
        }
        return [.. schedule.World.Ranks.Select(rank => Head(rank.Value))];
    }

    /// <summary>Whether no rank, whatever the others do, sends or computes what it does not have yet. Runs nothing else.</summary>
    public bool MakesBeforeItSends()
    {
        foreach (RankId rank in schedule.World.Ranks)
        {
            for (; Head(rank.Value) is { } op; Do(rank.Value))
                if (!HasData(rank.Value, op)) return false;
        }
        return true;
    }

    private Operation? Head(int rank) => _at[rank] < schedule.Programs[rank].Count ? schedule.Programs[rank][_at[rank]] : null;

    private bool TryMove(int rank)
    {
        if (Head(rank) is not { } op || !HasData(rank, op)) return false;
        (Layout layout, long step) = (schedule.Shape.Layout, op.Step.Value);
        int column = layout.Replicas * layout.Tensor, last = (layout.Stages - 1) * column;
        switch (op.Kind)
        {
            case OperationKind.Send:
                return Hand(rank, rank + column, op, OperationKind.Receive, schedule.Shape.Rows);
            case OperationKind.SendRing:
                return Hand(rank, rank - last, op, OperationKind.AwaitRing, schedule.Shape.Ring!.Value);
            case OperationKind.Receive:
                return schedule.Shape.Rows == TransferMode.Eager && _did.Contains((rank - column, OperationKind.Send, step)) && Do(rank);
            case OperationKind.AwaitRing:
                return schedule.Shape.Ring == TransferMode.Eager && _did.Contains((rank + last, OperationKind.SendRing, step)) && Do(rank);
            default:
                int members = op.Kind == OperationKind.Compute ? layout.Tensor : column;
                int[] group = [.. Enumerable.Range(rank / members * members, members)];
                return group.All(member => Head(member) == op && HasData(member, op)) && group.All(Do);
        }
    }

    /// <summary>A rendezvous takes both sides at once: whoever receives is moved by the sender.</summary>
    private bool Hand(int from, int to, Operation op, OperationKind taken, TransferMode mode) =>
        mode == TransferMode.Eager ? Do(from) : Head(to) == op with { Kind = taken } && Do(from) && Do(to);

    private bool HasData(int rank, Operation op)
    {
        (long step, int stages) = (op.Step.Value, schedule.Shape.Layout.Stages);
        bool first = rank < schedule.Shape.Layout.Replicas * schedule.Shape.Layout.Tensor;
        long before = step - schedule.Shape.MicroBatches;
        return op.Kind switch
        {
            OperationKind.Compute when !first => _did.Contains((rank, OperationKind.Receive, step)),
            OperationKind.Compute => stages == 1 || schedule.Shape.Ring is null || before < 1
                || _did.Contains((rank, OperationKind.AwaitRing, before)),
            OperationKind.Dispatch => _did.Contains((rank, OperationKind.Compute, step)),
            OperationKind.Combine => _did.Contains((rank, OperationKind.Dispatch, step)),
            OperationKind.Send or OperationKind.SendRing => _did.Contains((rank, OperationKind.Combine, step)),
            _ => true,
        };
    }

    private bool Do(int rank)
    {
        Operation op = Head(rank)!.Value;
        _did.Add((rank, op.Kind, op.Step.Value));
        _at[rank]++;
        return true;
    }
}
