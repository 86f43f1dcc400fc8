using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Pipeline;

/// <summary>
/// Runs a schedule for real: a thread for each rank does the operations of its program over the fabric, literally. Rows go over the
/// stages' link, tokens too; where the ring waits for its receive, over a communicator. Expert groups and tensor ranks meet by flags.
/// </summary>
internal sealed class ScheduleRun
{
    private const int Hidden = 4, ShortMs = 300;

    private readonly Schedule _schedule;
    private readonly StageLinkPlan _link;
    private readonly CommunicatorPlan _ring;
    private readonly FlagRange _groups;
    private readonly WindowPlan _plan = new();
    private readonly Dictionary<int, ScheduleWait> _stuck;
    private readonly CountdownEvent _there, _over;
    private readonly GatedClock _clock = new();

    private ScheduleRun(Schedule schedule, ScheduleDeadlock? expected)
    {
        _schedule = schedule;
        (int ranks, int steps) = (schedule.World.Size, schedule.Shape.Steps);
        // A slot for each step: a random program keeps no order that would make slots free again.
        _link = StageLinkPlan.Reserve(_plan, steps + 1, 1, Hidden, 1);
        _ring = CommunicatorPlan.Reserve(_plan, new CommunicatorShape(ranks)
        {
            MessageBytes = sizeof(int), Senders = Senders.Any, Rendezvous = true,
        });
        _groups = _plan.ReserveFlags(3 * (steps + 1));
        _stuck = expected?.Stuck.ToDictionary(wait => wait.Rank.Value) ?? [];
        (_there, _over) = (new CountdownEvent(ranks), new CountdownEvent(ranks));
    }

    /// <summary>Every rank comes to the end of its program, with the right rows and tokens.</summary>
    public static void Ends(Schedule schedule)
    {
        var run = new ScheduleRun(schedule, null);
        Testing.Ranks.Run(FabricKind.InProcess, schedule.World, run._plan, run.Work);
    }

    /// <summary>
    /// Ranks stop where the checker says, and their deadlines name whom it says. The deadline is short, and its clock stands still until
    /// every rank is where it should stop: so a busy machine makes the test slower, but no rank late.
    /// </summary>
    public static void Stops(Schedule schedule, ScheduleDeadlock expected)
    {
        var run = new ScheduleRun(schedule, expected);
        FabricOptions options = Testing.Ranks.Options with { WaitDeadline = TimeSpan.FromMilliseconds(ShortMs), Clock = run._clock };
        IReadOnlyList<Exception?> outcomes = Testing.Ranks.Outcomes(FabricKind.InProcess, schedule.World, run._plan, run.Meet, options);
        foreach ((int rank, Exception? outcome) in outcomes.Index())
        {
            if (!run._stuck.TryGetValue(rank, out ScheduleWait? wait))
            {
                Assert.True(outcome is null, $"rank {rank} should have come to its end, but: {outcome}; the checker said {expected}");
                continue;
            }
            var error = Assert.IsType<FabricException>(outcome);
            Assert.Equal((wait.Rank, wait.On), (error.Self, error.Culprit!.Value));
            Assert.Contains($"did not answer within {ShortMs} ms", error.Reason, StringComparison.Ordinal);
        }
        // So the errors, followed from culprit to culprit, go round the very cycle that the checker names.
        if (expected.Cycle is [{ Never: true }]) return;
        foreach ((int i, ScheduleWait wait) in expected.Cycle.Index())
        {
            RankId next = expected.Cycle[(i + 1) % expected.Cycle.Count].Rank;
            Assert.Equal(next, ((FabricException)outcomes[wait.Rank.Value]!).Culprit);
        }
    }

    /// <summary>Does a rank's program, and leaves only when nobody waits any more: else others would see it go.</summary>
    private void Meet(IFabric fabric)
    {
        try
        {
            Work(fabric);
            Arrive();
        }
        finally
        {
            _over.Signal();
            Assert.True(_over.Wait(Testing.Ranks.Limit), "some rank neither ended nor stopped");
        }
    }

    private void Arrive()
    {
        if (_there.Signal()) _clock.Open();
    }

    private void Work(IFabric fabric)
    {
        var link = new StageLink(fabric, _link, _schedule.Shape.Rows == TransferMode.Rendezvous);
        var ring = new Communicator(fabric, fabric.World.All, _ring);
        RankPlace place = fabric.World.Place(fabric.Self);
        var rows = new Dictionary<long, float[]>();
        foreach (Operation op in _schedule.Programs[fabric.Self.Value])
        {
            if (_stuck.TryGetValue(fabric.Self.Value, out ScheduleWait? wait) && wait.At == op) Arrive();
            (StepId step, int lane) = (op.Step, (int)op.Step.Value);
            switch (op.Kind)
            {
                case OperationKind.AwaitRing:
                    // Each stage has added one.
                    Assert.Equal(lane * 100 + fabric.World.Layout.Stages, TakeTokens(fabric, link, ring, step));
                    break;
                case OperationKind.Receive:
                    link.Await(step, lane);
                    link.Head(step, lane, 1);
                    rows[lane] = link.Received(lane, 1).ToArray();
                    break;
                case OperationKind.Compute:
                    if (place.Stage == 0) rows[lane] = [lane * 100, 0, 0, 0];
                    rows[lane][0]++;
                    Meet(fabric, fabric.World.TensorRanks(place.Stage, place.Replica), _groups[3 * lane]);
                    break;
                case OperationKind.Send:
                    link.Send(step, lane, rows[lane]);
                    break;
                case OperationKind.SendRing:
                    SendTokens(fabric, link, ring, step, (int)rows[lane][0]);
                    break;
                default:
                    Meet(fabric, fabric.World.Stage(place.Stage), _groups[3 * lane + (op.Kind == OperationKind.Dispatch ? 1 : 2)]);
                    break;
            }
        }
    }

    private static void Meet(IFabric fabric, RankGroup group, int flag)
    {
        foreach (RankId member in group.Members)
            if (member != fabric.Self) fabric.Notify(member, flag, 1);
        foreach (RankId member in group.Members)
            if (member != fabric.Self) fabric.Wait(member, flag, 1);
    }

    private int TakeTokens(IFabric fabric, StageLink link, Communicator ring, StepId step)
    {
        if (_schedule.Shape.Ring == TransferMode.Eager) return link.AwaitRing(step, (int)step.Value)[0].Token;
        RankPlace place = fabric.World.Place(fabric.Self);
        int[] token = new int[1];
        ring.Receive(fabric.World.RankAt(fabric.World.Layout.Stages - 1, place.Replica, place.Tensor), out long sent, token);
        Assert.Equal(step.Value, sent);
        return token[0];
    }

    private void SendTokens(IFabric fabric, StageLink link, Communicator ring, StepId step, int token)
    {
        RankPlace place = fabric.World.Place(fabric.Self);
        if (_schedule.Shape.Ring == TransferMode.Eager) link.SendRing(step, (int)step.Value, [new SlotToken(0, token)]);
        else ring.Send<long, int>(fabric.World.RankAt(0, place.Replica, place.Tensor), step.Value, [token]);
    }

    /// <summary>Stands still until it is opened.</summary>
    private sealed class GatedClock : TimeProvider
    {
        private long _opened = -1;

        public void Open() => Interlocked.CompareExchange(ref _opened, System.GetTimestamp(), -1);

        public override long GetTimestamp() => Interlocked.Read(ref _opened) is var opened and >= 0 ? System.GetTimestamp() - opened : 0;
    }
}
