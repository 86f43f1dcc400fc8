using Troupe.Actors.Planning;
using Troupe.Cli.Tracing;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;

namespace Troupe.Cli.Measures;

/// <summary>A rank in the answer of bench step.</summary>
internal sealed record StepRank(int Rank, int Stage, int Replica, int Tensor, RankSteps? Prefill, RankSteps? Decode);

/// <summary>The steps of one kind over all ranks.</summary>
/// <param name="Steps">How many there were.</param>
/// <param name="Tokens">Rows of all replicas, in all of them.</param>
/// <param name="ExpertImbalance">Rows that experts computed on the rank with most of them, by the mean of its stage: of each layer of each
/// step, then on average. Null without experts, and for stages of one rank.</param>
/// <param name="WeightBytesPerToken">Bytes of weights that all ranks read, by tokens: an expert's as often as a rank computes it, the
/// others' once a step and replica.</param>
/// <param name="StageHops">Null where there is one stage.</param>
internal sealed record StepTotals(int Steps, long Tokens, double? ExpertImbalance, double WeightBytesPerToken, StageHops? StageHops);

/// <summary>What bench step prints.</summary>
internal sealed record StepBenchResult(
    string Model, string Layout, string Fabric, int Threads, int Sequences, int PromptTokens, int MaxTokens, IReadOnlyList<StepRank> Ranks,
    StepTotals? Prefill, StepTotals? Decode);

/// <summary>From traces to where each microsecond went.</summary>
internal sealed class StepMeasure
{
    private readonly IReadOnlyList<TracedRank> _ranks;
    private readonly List<Arrow> _arrows;
    private readonly Timeline _timeline;
    private readonly ModelConfig _model;
    private readonly WeightForm _form;
    private readonly Dictionary<StepId, bool> _prefill; // of each step with rows: whether some replica has rows of a prompt

    /// <summary>
    /// Measures the steps after <paramref name="after"/>, those without rows left out, of a model whose matrices are kept in a
    /// form.
    /// </summary>
    public StepMeasure(IReadOnlyList<TracedRank> ranks, ModelConfig model, WeightForm form, StepId after)
    {
        (_ranks, _model, _form) = (ranks, model, form);
        _arrows = Arrows.Of(ranks);
        _timeline = new Timeline(ranks, _arrows);
        _prefill = ranks.SelectMany(r => r.Steps).Where(s => s.Span.Step > after && s.Span.Amount > 0).GroupBy(s => s.Span.Step)
            .ToDictionary(g => g.Key, g => g.Any(s => s.Span.Activity == StepActivity.PrefillStep));
    }

    /// <summary>The ranks.</summary>
    public StepRank[] Ranks => [.. _ranks.Select(r =>
        new StepRank(r.Rank, r.Clock.Stage, r.Clock.Replica, r.Clock.Tensor, Of(r, prefill: true), Of(r, prefill: false)))];

    /// <summary>All ranks together; null where there was no such step.</summary>
    public StepTotals? Totals(bool prefill)
    {
        int steps = _prefill.Count(s => s.Value == prefill);
        if (steps == 0) return null;
        TracedRank[] first = [.. _ranks.Where(r => r.Clock is { Stage: 0, Tensor: 0 })];
        TracedStep[] own = [.. first.SelectMany(r => Steps(r, prefill)).Where(s => s.Span.Amount > 0)];
        long tokens = own.Sum(s => s.Span.Amount);
        long experts = _ranks.SelectMany(r => Steps(r, prefill)).SelectMany(s => s.Activities)
            .Where(a => a.Span.Activity == StepActivity.Experts).Sum(a => (long)a.Span.Detail);
        double bytes = ((double)own.Length * ActiveWeights.BytesWithoutExperts(_model, _form))
            + ((double)experts * ActiveWeights.BytesOfExpert(_model, _form));
        return new StepTotals(steps, tokens, Imbalance(prefill), Math.Round(bytes / tokens),
            StageHops.Of(_arrows, _timeline, s => _prefill.TryGetValue(s.Step, out bool kind) && kind == prefill));
    }

    private RankSteps? Of(TracedRank rank, bool prefill) => Steps(rank, prefill) is { Count: > 0 } steps ? RankSteps.Of(rank, steps) : null;

    private List<TracedStep> Steps(TracedRank rank, bool prefill) =>
        [.. rank.Steps.Where(s => _prefill.TryGetValue(s.Span.Step, out bool kind) && kind == prefill)];

    private double? Imbalance(bool prefill)
    {
        var ratios = new List<double>();
        foreach (IGrouping<int, TracedRank> stage in _ranks.GroupBy(r => r.Clock.Stage))
        {
            int members = stage.Count();
            if (members == 1) continue;
            var served = stage.SelectMany(r => Steps(r, prefill).SelectMany(s => s.Activities)
                .Where(a => a.Span.Activity == StepActivity.Experts).Select(a => (r.Rank, a.Span)));
            foreach (var layer in served.GroupBy(a => (a.Span.Step, a.Span.Layer)))
            {
                long[] rows = [.. layer.GroupBy(a => a.Rank).Select(g => g.Sum(a => a.Span.Amount))];
                if (rows.Sum() > 0) ratios.Add((double)rows.Max() * members / rows.Sum());
            }
        }
        return ratios.Count == 0 ? null : StepFigure.Round(ratios.Average());
    }
}
