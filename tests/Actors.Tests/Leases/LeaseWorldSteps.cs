using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Tests.Leases;

/// <summary>What the ranks, the router and the wires of a small world do.</summary>
internal sealed partial class LeaseWorld
{
    private LeaseRank At(int stage, int replica) => _ranks[(stage * Setup.Replicas) + replica];

    private IEnumerable<LeaseRank> Group(LeaseRank rank) => _ranks.Where(r => r.Stage == rank.Stage);

    private bool IsLast(LeaseRank rank) => rank.Stage == Setup.Stages - 1;

    private static bool Spoke(LeaseRank peer, LeaseRank rank) => peer.Exchanges >= rank.Exchanges;

    private bool AllSpoke(LeaseRank rank) => Group(rank).All(peer => Spoke(peer, rank));

    private LeasedStep? NextOf(LeaseRank rank) => rank.Lease.IsOn ? rank.Lease.Walk!.Next
        : rank.Queue.TryPeek(out StageStep? step) ? new LeasedStep(step.Plan.Step, step.Plan.Lane, step.Plan.After) : null;

    private bool MayBegin(LeaseRank rank) => rank.Doing is null && NextOf(rank) is { } next && HasInput(rank, next);

    /// <summary>Stage 0 needs the lane's tokens back, later stages need the rows.</summary>
    private bool HasInput(LeaseRank rank, LeasedStep next) => rank.Stage > 0
        ? _links.TryGetValue((rank.Stage, rank.Replica, next.Lane), out var link) && link.Step >= next.Step
        : next.After.Value == 0 || (_rings.TryGetValue((rank.Replica, next.Lane), out var ring) && ring.Step >= next.After);

    private List<int> WaitsFor(LeaseRank rank)
    {
        if (rank.Doing is not null) return [.. Group(rank).Where(p => !Spoke(p, rank)).Select(p => (p.Stage * Setup.Replicas) + p.Replica)];
        if (NextOf(rank) is not { } next || HasInput(rank, next)) return [];
        return [rank.Stage > 0 ? ((rank.Stage - 1) * Setup.Replicas) + rank.Replica : ((Setup.Stages - 1) * Setup.Replicas) + rank.Replica];
    }

    private void Begin(LeaseRank rank)
    {
        LeasedStep next = NextOf(rank)!.Value;
        (StepPlan? plan, BatchDelta? batch) = (null, null);
        if (!rank.Lease.IsOn)
        {
            StageStep step = rank.Queue.Dequeue();
            (plan, batch) = (step.Plan, step.Batch);
            rank.Lease.Begin(plan);
        }
        if (rank.Stage == 0 && next.After.Value > 0)
        {
            if (_rings[(rank.Replica, next.Lane)].Step != next.After)
                throw new LeaseViolation($"{next.Step} on lane {next.Lane} expects the ring of {next.After}");
            foreach (int slot in _rings[(rank.Replica, next.Lane)].Ended) rank.End(slot);
        }
        rank.Apply(batch);
        int[] slots = [];
        LeaseVerdict heard = LeaseVerdict.GoOn;
        if (rank.Stage == 0)
        {
            if (Setup.Mistake != Mistake.AnyNote) rank.TakeNotes();
            else if (plan is null) rank.TakeNotes(anyLease: true);
            slots = batch?.Work.Select(w => w.Slot).ToArray() ?? (plan is not null ? [] : Live(rank, next.Lane));
        }
        if (rank.Stage == 0 && plan?.Lease is not null && Setup.Mistake != Mistake.KeepsGivenUp)
            rank.Lend(slots, next.Lane * Setup.PerLane, Setup.PerLane);
        else if (Setup.Mistake == Mistake.KeepsGivenUp) rank.Lend([.. Enumerable.Range(0, rank.Slots.Length)], 0, rank.Slots.Length);
        if (rank.Stage > 0)
        {
            var link = _links[(rank.Stage, rank.Replica, next.Lane)];
            _links.Remove((rank.Stage, rank.Replica, next.Lane));
            if (link.Step != next.Step) throw new LeaseViolation($"stage {rank.Stage} is at {next.Step}, the rows are of {link.Step}");
            (slots, heard) = (link.Slots, link.Verdict);
            if (batch is not null && !batch.Work.Select(w => w.Slot).SequenceEqual(slots))
                throw new LeaseViolation($"the batch of {next.Step} and the rows that came are not the same");
            if (Setup.Mistake == Mistake.LeavesEarly && plan is null && heard.HasFlag(LeaseVerdict.Leave))
            {
                rank.Lease.Finish(heard);
                return;
            }
        }
        rank.Enter(new Doing(next, plan?.Strategy ?? rank.Lease.Walk!.Grant.Strategy, plan, batch, slots,
            plan is null && rank.Stage == 0 && rank.Lease.Asks, heard));
    }

    private int[] Live(LeaseRank rank, int lane) =>
        [.. Enumerable.Range(lane * Setup.PerLane, Setup.PerLane).Where(s => rank.Slots[s] is { Ended: false, Leased: true })];

    private void EndStep(LeaseRank rank)
    {
        Doing doing = rank.Doing!;
        rank.Doing = null;
        Said[] said = [.. Group(rank).Select(peer => peer.Said[(rank.Exchanges - 1) % 2])];
        Said own = rank.Said[(rank.Exchanges - 1) % 2];
        bool Apart(Said s) => (s.Step, s.Lane, s.Strategy, s.Leased) != (own.Step, own.Lane, own.Strategy, own.Leased);
        if (said.FirstOrDefault(Apart) is { Step: > 0 } other)
            throw new LeaseViolation($"stage {rank.Stage} is apart: {own} and {other}");
        LeaseVerdict verdict = doing.Heard;
        if (rank.Stage == 0 && doing.Plan is null)
        {
            LeasedSteps++;
            bool leave = Setup.Mistake == Mistake.HeedsOnlyItself ? own.Leave : said.Any(s => s.Leave);
            verdict = LeaseVerdicts.Of(leave, said.Any(s => s.Rows));
        }
        if (IsLast(rank)) Draw(rank, doing);
        else SendRows(rank, doing, verdict);
        if (doing.Plan is { } plan)
        {
            rank.Lease.Finish(plan);
            return;
        }
        if (rank.Stage > 0 && Setup.Mistake == Mistake.MissesVerdict) verdict &= ~LeaseVerdict.Leave;
        if (!rank.Lease.Finish(verdict) || rank.Stage > 0) return;
        LeaseWalk walk = rank.Lease.Walk!;
        var ended = new LeaseEnded(Epoch, doing.At.Step, rank.Lease.Id, walk.LastsOf(Setup.Lanes), walk.Done, 0, 0);
        Put($"ended {rank.Replica}", ended);
        if (rank.Replica == 0) Put("ended router", ended);
    }

    private void SendRows(LeaseRank rank, Doing doing, LeaseVerdict verdict)
    {
        if (!_links.TryAdd((rank.Stage + 1, rank.Replica, doing.At.Lane), (doing.At.Step, verdict, doing.Slots)))
            throw new LeaseViolation($"stage {rank.Stage} sends {doing.At.Step} over rows that nobody has read");
    }

    private void Draw(LeaseRank rank, Doing doing)
    {
        var tokens = new List<SlotToken>();
        foreach (int slot in doing.Slots)
        {
            Held held = rank.Slots[slot] ?? throw new LeaseViolation($"{doing.At.Step} has a row of slot {slot}, which is empty");
            held = held with { Drawn = held.Drawn + 1 };
            if (held.Drawn > held.Most) throw new LeaseViolation($"slot {slot} draws token {held.Drawn} of {held.Most}");
            rank.Slots[slot] = held with { Ended = held.Drawn == held.Most };
            tokens.Add(new SlotToken(slot, 1, held.Drawn == held.Most ? TokenEnd.Length : TokenEnd.GoesOn));
        }
        _rings[(rank.Replica, doing.At.Lane)] = (doing.At.Step, [.. tokens.Where(t => t.End != TokenEnd.GoesOn).Select(t => t.Slot)]);
        bool dry = doing.Plan is null && doing.Slots.Length == 0 && rank.HadRows[doing.At.Lane] && Setup.Mistake != Mistake.SilentWhenDry;
        rank.HadRows[doing.At.Lane] = doing.Slots.Length > 0;
        if (!dry && doing.Slots.Length == 0) return;
        Put($"result {rank.Replica}", new StepResult(Epoch, doing.At.Step, rank.Replica, doing.At.Lane, tokens, [], 0, 0,
            doing.Plan is { } plan ? plan.Lease?.First ?? default : rank.Lease.Id));
    }

    private void Take(string wire)
    {
        _wires[wire] = _wires[wire].Dequeue(out ProtocolMessage message);
        switch (message)
        {
            case StepOffer offer:
                Publish(_router.On(offer));
                break;
            case LeaseEnded ended when wire == "ended router":
                Publish(_router.On(ended));
                break;
            case LeaseEnded ended:
                _schedulers[int.Parse(wire.AsSpan(6), System.Globalization.CultureInfo.InvariantCulture)].OnEnded(ended, this);
                break;
            case LeaseNote note:
                int replica = wire == "note router" ? 0 : int.Parse(wire.AsSpan(5), System.Globalization.CultureInfo.InvariantCulture);
                _ranks[replica].Notes.Add(note);
                break;
            case StepResult result:
                _schedulers[result.Replica].OnResult(result, this);
                break;
        }
    }

    private void Publish((RouterState State, Decision? Decision) outcome)
    {
        for (; outcome.Decision is { } decision; outcome = outcome.State.Plan())
            foreach (LeaseRank rank in _ranks) rank.Deliver(rank.Steps.On(decision.Plan));
        (_router, LeaseNote? note) = outcome.State.AskToLeave();
        if (Setup.Mistake == Mistake.RouterForgets && _router.Lease is not null) _router = _router with { Lease = null };
        if (note is null) return;
        LeavesAsked++;
        Put("note router", note);
    }
}
