using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Cache;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>
/// One step on one rank: rows in (tokens or the previous stage's hidden states), the stage's layers, rows or tokens out. Reads like the
/// page in ARCHITECTURE.md; allocates nothing in steady decode. A planned step's rows are named by its batch. A leased step's are one for
/// each sequence that goes on: stage 0 finds them in its slots, later stages in the head of the rows that come.
/// </summary>
public sealed class StepRunner : IStepRunner
{
    private readonly RankRuntime _rank;
    private readonly RankExecutor _executor;
    private readonly SlotTable _slots;
    private readonly BlockTable _blocks;
    private readonly StepRows _rows;
    private readonly NativeBuffer _hidden;
    private readonly StepMeter _meter;
    private readonly TokenDrawer? _drawer;
    private readonly LeaseRunner _lease;
    private readonly SlotWork[] _work;
    private readonly int _perLane;
    private readonly bool _first, _last, _alone;
    private int _workCount;

    /// <summary>A runner for a connected rank.</summary>
    public StepRunner(RankRuntime rank, RankExecutor executor)
    {
        (_rank, _executor) = (rank, executor);
        EpochSizes sizes = rank.Sizes;
        int stages = rank.Setup.Layout.Stages;
        (_first, _last, _alone) = (rank.Place.Stage == 0, rank.Place.Stage == stages - 1, stages == 1);
        _slots = new SlotTable(sizes.MaxRunning, sizes.BlockSize);
        _blocks = new BlockTable(sizes.MaxRunning, (sizes.Context + sizes.BlockSize) / sizes.BlockSize, sizes.Blocks, sizes.BlockSize);
        _rows = new StepRows(sizes.MaxRows, _blocks);
        _hidden = new NativeBuffer((long)sizes.MaxRows * rank.Setup.Config.HiddenSize * sizeof(float));
        var exchanges = new ExchangeTimes(rank.Fabric!, rank.World.Stage(rank.Place.Stage), rank.Shard.HasExperts ? rank.Exchanges : null,
            rank.Spec.First, rank.Setup.Clock.TimestampFrequency);
        _meter = new StepMeter(rank.Fabric!, exchanges, rank.Trace, rank.Setup.Trace.Of, rank.Setup.Clock);
        _drawer = _last ? new TokenDrawer(rank.Shard, rank.Setup.Config, draws: rank.Place.Tensor == 0, Enter) : null;
        _lease = new LeaseRunner(rank, sizes);
        _work = new SlotWork[sizes.MaxRunning];
        _perLane = sizes.MaxRunning / sizes.Lanes;
    }

    /// <inheritdoc/>
    public bool IsLeased => _lease.State.IsOn;

    /// <inheritdoc/>
    public void Run(StageStep step, StepOutcome outcome)
    {
        StepPlan plan = step.Plan;
        _lease.State.Begin(plan);
        Begin(new LeasedStep(plan.Step, plan.Lane, plan.After));
        Fill(step.Batch);
        if (_first && plan.Lease is not null) _slots.Lend(plan.Lane * _perLane, _perLane, step.Batch);
        Span<float> hidden = Receive(plan.Step, plan.Lane, _rows.Count);
        RunLayers(plan.Step, plan.Strategy, hidden, outcome, halves: plan.InHalves);
        _lease.State.Finish(plan);
        if (_last) Draw(plan.Step, plan.Lane, hidden, outcome);
        else Send(plan.Step, plan.Lane, hidden, [], LeaseVerdict.GoOn);
        End(plan.Step, outcome);
        _lease.Had(plan.Lane, _rows.Count);
    }

    /// <inheritdoc/>
    public void RunLeased(StepOutcome outcome)
    {
        LeasedStep at = _lease.State.Walk!.Next;
        LeaseGrant grant = _lease.State.Walk.Grant;
        outcome.Reset(at.Step, at.Lane, grant.First);
        Begin(at);
        _executor.Notes.Take(_lease.State, _slots);
        bool leave = _first && _lease.State.Asks;
        LeaseVerdict verdict = _first ? LeaseVerdict.GoOn : FillByHead(at);
        if (_first) FillFirst(at);
        if (_rows.Count > grant.Capacity)
            throw new InvalidOperationException($"{at.Step} has {_rows.Count} rows, the lease from {grant.First} holds {grant.Capacity}");
        Span<float> hidden = Receive(at.Step, at.Lane, _rows.Count);
        RunLayers(at.Step, grant.Strategy, hidden, outcome, leave);
        if (_first)
        {
            if (_rank.Shard.Verdict is null) Enter(at.Step, StepActivity.Vote);
            verdict = _lease.Verdict(at.Step, leave, _rows.Count > 0, _rank.Shard.Verdict);
            Enter(at.Step, StepActivity.Other);
        }
        bool over = _lease.State.Finish(verdict);
        if (_last) Draw(at.Step, at.Lane, hidden, outcome);
        else Send(at.Step, at.Lane, hidden, _rows.Slots, verdict);
        End(at.Step, outcome);
        outcome.RanDry = _lease.RanDry(at.Lane, _rows.Count);
        _lease.Count(outcome);
        if (over) outcome.Ended = _lease.Over(_rank.Epoch);
    }

    /// <inheritdoc/>
    public void Forget() => _slots.Clear();

    /// <inheritdoc/>
    public void Dispose()
    {
        _drawer?.Dispose();
        _hidden.Dispose();
        _rank.Dispose();
    }

    /// <summary>Stage 0 learns the tokens that the lane's last step drew at the last stage, and which sequences they end.</summary>
    private void Begin(LeasedStep at)
    {
        _meter.Begin(at.Step, at.Lane);
        if (!_first || _alone || at.After.Value == 0) return;
        Enter(at.Step, StepActivity.RingReceive);
        foreach ((int slot, int token, TokenEnd end) in _rank.Link.AwaitRing(at.After, at.Lane))
            if (_slots.Holds(slot)) Take(_slots[slot], token, end);
        Enter(at.Step, StepActivity.Other);
    }

    private static void Take(Slot slot, int token, TokenEnd end)
    {
        slot.Append(token);
        if (end != TokenEnd.GoesOn) slot.Ended = true;
    }

    private void Fill(BatchDelta? batch)
    {
        Clear();
        if (batch is null) return;
        _slots.Apply(batch);
        for (int i = 0; i < batch.Joins.Count; i++) _blocks.Set(batch.Joins[i].Slot, _slots[batch.Joins[i].Slot].Blocks);
        for (int i = 0; i < batch.Work.Count; i++) Add(batch.Work[i]);
    }

    /// <summary>The rows of stage 0: its first tensor rank finds them and tells the others.</summary>
    private void FillFirst(LeasedStep at)
    {
        if (_rank.Tensor is { Leads: false } others)
        {
            Clear();
            foreach (int slot in others.HearRows(at.Step)) Add(new SlotWork(slot, 1));
            return;
        }
        FillBySlots(at);
        _rank.Tensor?.TellRows(at.Step, _rows.Slots);
    }

    /// <summary>One row for each sequence of the lane that goes on.</summary>
    private void FillBySlots(LeasedStep at)
    {
        Clear();
        for (int slot = at.Lane * _perLane; slot < (at.Lane + 1) * _perLane; slot++)
        {
            if (!_slots.Holds(slot) || !_slots[slot].GoesOn) continue;
            if (_slots[slot].Computed + 1 != _slots[slot].Known)
            {
                throw new InvalidOperationException($"{at.Step}: slot {slot} has computed {_slots[slot].Computed} of {_slots[slot].Known} "
                    + "tokens; a sequence under a lease lacks one");
            }
            Add(new SlotWork(slot, 1));
        }
    }

    /// <summary>The rows that stage 0 found.</summary>
    private LeaseVerdict FillByHead(LeasedStep at)
    {
        Clear();
        Enter(at.Step, StepActivity.StageReceive);
        _rank.Link.Await(at.Step, at.Lane);
        StageHead head = _rank.Link.Head(at.Step, at.Lane, -1);
        foreach (int slot in _rank.Link.Slots(at.Lane, head.Slots)) Add(new SlotWork(slot, 1));
        _rank.Link.Head(at.Step, at.Lane, _rows.Count);
        Enter(at.Step, StepActivity.Other);
        return head.Verdict;
    }

    private void Clear()
    {
        _rows.Clear();
        _workCount = 0;
    }

    private void Add(SlotWork work)
    {
        Slot slot = _slots[work.Slot];
        for (int row = 0; row < work.Rows; row++) _rows.Add(slot.TokenAt(slot.Computed + row), slot.Computed + row, work.Slot);
        _work[_workCount++] = work;
    }

    /// <summary>The step's hidden states on entry: [T, H].</summary>
    private Span<float> Receive(StepId step, int lane, int rows)
    {
        Span<float> hidden = _hidden.Floats(rows * _rank.Setup.Config.HiddenSize);
        if (_first)
        {
            Enter(step, StepActivity.Embed);
            _rank.Shard.Embed(_rows, hidden);
            Enter(step, StepActivity.Other);
            return hidden;
        }
        Enter(step, StepActivity.StageReceive);
        _rank.Link.Await(step, lane);
        _rank.Link.Head(step, lane, rows);
        _rank.Link.Received(lane, rows).CopyTo(hidden);
        Enter(step, StepActivity.Other);
        return hidden;
    }

    /// <summary>A step to be checked runs whole: its exchanges are doubled as they are.</summary>
    private void RunLayers(StepId step, string strategy, Span<float> hidden, StepOutcome outcome, bool leave = false, bool halves = false)
    {
        IAll2All? experts = _rank.All2All(strategy, step);
        IAll2All? secondHalf = halves && experts is not ShadowedAll2All ? _rank.SecondHalf(strategy) : null;
        _rank.Shard.RunLayers(_rows, hidden, experts, _rank.Epoch, step, _meter, leave, secondHalf);
        Enter(step, StepActivity.Other);
        if (experts is ShadowedAll2All shadowed) (outcome.Shadowed, outcome.Mismatch) = (true, shadowed.Mismatch);
    }

    /// <summary>
    /// Hands the rows on, in the order that <see cref="PipelineSchedule.Program"/> says and <see cref="ScheduleChecker"/> has checked.
    /// Where a send waits for its receive, an odd stage takes in the next step first, if it knows of one by now and the rule lets it. A
    /// leased one is known long before it exists; to wait for it while holding rows would starve the ring.
    /// </summary>
    private void Send(StepId step, int lane, ReadOnlySpan<float> hidden, ReadOnlySpan<int> slots, LeaseVerdict verdict)
    {
        Enter(step, StepActivity.StageSend);
        _meter.Note(hidden.Length * sizeof(float));
        if (!_first && !IsLeased && _rank.Link.IsRendezvous && _executor.Next?.Plan is { } next
            && PipelineSchedule.Order(_rank.Place.Stage, _rank.Setup.Layout.Stages, step, next.Step, next.After)
                == TransferOrder.ReceiveFirst)
            _rank.Link.Await(next.Step, next.Lane);
        _rank.Link.Send(step, lane, hidden, slots, verdict);
    }

    private void Draw(StepId step, int lane, ReadOnlySpan<float> hidden, StepOutcome outcome)
    {
        if (_workCount > 0) _drawer!.Draw(_work.AsSpan(0, _workCount), _slots, hidden, outcome);
        Span<SlotToken> tokens = outcome.Tokens.AsSpan(0, outcome.TokenCount);
        if (_rank.Tensor is { } others)
        {
            Enter(step, StepActivity.Sample);
            others.ShareTokens(tokens);
        }
        Enter(step, StepActivity.Other);
        foreach ((int slot, int token, TokenEnd end) in tokens) Take(_slots[slot], token, end);
        if (_alone) return;
        Enter(step, StepActivity.RingSend);
        _rank.Link.SendRing(step, lane, tokens);
    }

    private void End(StepId step, StepOutcome outcome)
    {
        for (int i = 0; i < _workCount; i++) _slots[_work[i].Slot].Computed += _work[i].Rows;
        outcome.Rows = _rows.Count;
        (outcome.StepUs, outcome.Exchanged, outcome.ExchangeUs) =
            _meter.End(Point(step, StepActivity.Other), _rows.Count, _rows.Count > _workCount, outcome.Shadowed);
    }

    private void Enter(StepId step, StepActivity activity) => _meter.At(Point(step, activity), activity);

    private StepPoint Point(StepId step, StepActivity activity) => new(_rank.Epoch, step, _rank.Spec.First, activity.Phase());
}
