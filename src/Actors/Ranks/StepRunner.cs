using System.Diagnostics;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Cache;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>
/// One step on one rank: rows in (tokens or the previous stage's hidden states), the stage's layers, rows or tokens out. Reads like the
/// page in ARCHITECTURE.md; allocates nothing in steady decode.
/// </summary>
public sealed class StepRunner : IStepRunner, IStepObserver
{
    private readonly RankRuntime _rank;
    private readonly RankExecutor _executor;
    private readonly SlotTable _slots;
    private readonly BlockTable _blocks;
    private readonly StepRows _rows;
    private readonly NativeBuffer _hidden;
    private readonly StepTimings _timings;
    private readonly TokenDrawer? _drawer;
    private readonly int[] _ring;
    private readonly bool _first, _last, _alone;
    private StepPoint _at;

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
        _timings = new StepTimings(this);
        _drawer = _last ? new TokenDrawer(rank.Shard, rank.Setup.Config.VocabSize) : null;
        _ring = new int[2 * sizes.MaxRunning];
    }

    /// <summary>Where the executor is, for status and errors.</summary>
    public StepPoint Where => _at;

    /// <inheritdoc/>
    public void At(StepPoint point)
    {
        _at = point;
        _rank.Fabric!.SetStatus(point);
    }

    /// <inheritdoc/>
    public void Run(StageStep step, StepOutcome outcome)
    {
        long started = Stopwatch.GetTimestamp();
        StepPlan plan = step.Plan;
        _timings.Reset();
        TakeRing(plan);
        Fill(step.Batch);
        Span<float> hidden = _hidden.Floats(_rows.Count * _rank.Setup.Config.HiddenSize); // [T, H]
        Receive(plan, hidden);
        _rank.Shard.RunLayers(_rows, hidden, _rank.All2All(plan.Strategy), _rank.Epoch, plan.Step, _timings);
        if (_last) Draw(plan, step.Batch, hidden, outcome);
        else Send(plan, hidden);
        Advance(step.Batch);
        Enter(plan.Step, StepPhase.Idle);
        outcome.Rows = _rows.Count;
        outcome.StepUs = Stopwatch.GetElapsedTime(started).TotalMicroseconds;
        outcome.ExchangeUs = _timings.Microseconds(StepPhase.Dispatch) + _timings.Microseconds(StepPhase.Combine);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _drawer?.Dispose();
        _hidden.Dispose();
        _rank.Dispose();
    }

    /// <summary>Stage 0 learns the tokens that the lane's last step drew at the last stage.</summary>
    private void TakeRing(StepPlan plan)
    {
        if (!_first || _alone || plan.After.Value == 0) return;
        Enter(plan.Step, StepPhase.Ring);
        ReadOnlySpan<int> pairs = _rank.Link.AwaitRing(plan.After, plan.Lane);
        for (int i = 0; i < pairs.Length; i += 2)
            if (_slots.Holds(pairs[i])) _slots[pairs[i]].Append(pairs[i + 1]);
    }

    private void Fill(BatchDelta? batch)
    {
        _rows.Clear();
        if (batch is null) return;
        _slots.Apply(batch);
        for (int i = 0; i < batch.Joins.Count; i++) _blocks.Set(batch.Joins[i].Slot, _slots[batch.Joins[i].Slot].Blocks);
        for (int i = 0; i < batch.Work.Count; i++)
        {
            Slot slot = _slots[batch.Work[i].Slot];
            for (int row = 0; row < batch.Work[i].Rows; row++)
                _rows.Add(slot.TokenAt(slot.Computed + row), slot.Computed + row, batch.Work[i].Slot);
        }
    }

    private void Receive(StepPlan plan, Span<float> hidden)
    {
        if (_first)
        {
            Enter(plan.Step, StepPhase.Embed);
            _rank.Shard.Embed(_rows, hidden);
            return;
        }
        Enter(plan.Step, StepPhase.StageReceive);
        _rank.Link.Await(plan.Step, plan.Lane);
        _rank.Link.Received(plan.Lane, _rows.Count).CopyTo(hidden);
    }

    /// <summary>Hands the rows on. An odd stage takes in the next step first, if that may exist by now.</summary>
    private void Send(StepPlan plan, ReadOnlySpan<float> hidden)
    {
        Enter(plan.Step, StepPhase.StageSend);
        StepPlan? next = _executor.Next?.Plan;
        if (!_first && PipelineSchedule.Order(_rank.Place.Stage, plan.Step, next?.Step, next?.After
            ?? default) == TransferOrder.ReceiveFirst)
            _rank.Link.Await(next!.Step, next.Lane);
        _rank.Link.Send(plan.Step, plan.Lane, hidden);
    }

    private void Draw(StepPlan plan, BatchDelta? batch, ReadOnlySpan<float> hidden, StepOutcome outcome)
    {
        Enter(plan.Step, StepPhase.Head);
        if (batch is not null) _drawer!.Draw(batch, _slots, hidden, outcome);
        for (int i = 0; i < outcome.TokenCount; i++)
        {
            (_ring[2 * i], _ring[2 * i + 1]) = (outcome.Tokens[i].Slot, outcome.Tokens[i].Token);
            _slots[outcome.Tokens[i].Slot].Append(outcome.Tokens[i].Token);
        }
        if (_alone) return;
        Enter(plan.Step, StepPhase.Ring);
        _rank.Link.SendRing(plan.Step, plan.Lane, _ring.AsSpan(0, 2 * outcome.TokenCount));
    }

    private void Advance(BatchDelta? batch)
    {
        if (batch is null) return;
        for (int i = 0; i < batch.Work.Count; i++) _slots[batch.Work[i].Slot].Computed += batch.Work[i].Rows;
    }

    private void Enter(StepId step, StepPhase phase) => _timings.At(new StepPoint(_rank.Epoch, step, _rank.Spec.First, phase));
}
