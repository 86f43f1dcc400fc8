using Troupe.Actors.Client;
using Troupe.Actors.Hosting;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Planning;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>Whole clusters that keep traces: what each rank says of its steps.</summary>
public sealed class TraceTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData(2, 2, "low_latency", "off")]
    [InlineData(1, 2, "fused", "on")]
    [InlineData(1, 1, "auto", "off")]
    public async Task Activities_lie_end_to_end_and_add_up_to_their_step_on_every_rank(int stages, int replicas, string strategy,
        string overlap)
    {
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas,
            $"troupe {{ trace.steps = 512, routing {{ strategy = {strategy}, overlap = {overlap} }} }}");
        IReadOnlyList<RankTrace> traces = await RunAndTraceAsync(world, 512);

        Assert.Equal(stages * replicas, traces.Count);
        foreach (RankTrace trace in traces)
        {
            var activities = new HashSet<StepActivity>();
            foreach (StepSpan[] step in Steps(trace))
            {
                StepSpan whole = step[^1];
                Assert.All(step, s => Assert.Equal((whole.Step, whole.Lane), (s.Step, s.Lane)));
                StepSpan[] parts = [.. step[..^1].Where(s => !s.Activity.IsWithin() && s.Activity != StepActivity.Idle)];
                Assert.Equal(whole.Ticks, parts.Sum(s => s.Ticks));
                Assert.Equal((whole.Start, whole.End), (parts[0].Start, parts[^1].End));
                Assert.All(parts.Zip(parts.Skip(1)), pair => Assert.Equal(pair.First.End, pair.Second.Start));
                foreach (StepSpan within in step.Where(s => s.Activity.IsWithin()))
                {
                    StepSpan around = Assert.Single(parts, p => p.Ticks > 0 && p.Start <= within.Start && p.End >= within.End);
                    Assert.Equal(around.Layer, within.Layer);
                    Assert.InRange(within.Peer, 0, traces.Count - 1);
                    Assert.NotEqual(trace.Clock.Rank, within.Peer);
                }
                if (step[0].Activity == StepActivity.Idle) Assert.Equal(whole.Start, step[0].End);
                activities.UnionWith(parts.Select(p => p.Activity));
            }
            bool first = trace.Clock.Stage == 0, last = trace.Clock.Stage == stages - 1;
            Assert.Equal((first, !first), (activities.Contains(StepActivity.Embed), activities.Contains(StepActivity.StageReceive)));
            Assert.Equal((last, !last), (activities.Contains(StepActivity.Head), activities.Contains(StepActivity.StageSend)));
            Assert.Contains(StepActivity.Experts, activities);
        }
    }

    [Theory]
    [InlineData("all")]
    [InlineData("experts")]
    public async Task Each_rank_ran_the_same_steps_and_prompts_are_told_from_decode(string of)
    {
        ModelSource model = ModelSource.FromFolder(InProcessWorld.SampleModel);
        await using InProcessWorld world = await InProcessWorld.StartAsync(model, 2, 2, $"troupe.trace {{ steps = 512, of = {of} }}");
        IReadOnlyList<RankTrace> traces = await RunAndTraceAsync(world, 512);
        // Steps without rows may still run when the trace is read.
        (StepId Step, long Rows)[][] rows =
            [.. traces.Select(t => Steps(t).Select(s => (s[^1].Step, s[^1].Amount)).Where(s => s.Amount > 0).ToArray())];
        // The two ranks of a replica, one in each stage, have the same rows of each step.
        Assert.Equal(rows[0], rows[2]);
        Assert.Equal(rows[1], rows[3]);
        Assert.Equal(3 * (20 + 12), rows.Take(2).SelectMany(r => r).Where(r => r.Step >= PipelineSchedule.FirstStep).Sum(r => r.Rows));
        foreach (RankTrace trace in traces)
        {
            Assert.All(Steps(trace).Where(s => s[^1].Amount > 4), s => Assert.Equal(StepActivity.PrefillStep, s[^1].Activity));
            Assert.All(Steps(trace).Where(s => s[^1].Amount == 1), s => Assert.Equal(StepActivity.DecodeStep, s[^1].Activity));
        }
        // Every pair of row and expert was computed by somebody: of each row K in each layer of its stage.
        long pairs = traces.Where(t => t.Clock.Stage == 0).SelectMany(t => t.Spans).Where(s => s.Activity == StepActivity.Experts)
            .Sum(s => s.Amount);
        long all = rows.Take(2).SelectMany(r => r).Sum(r => r.Rows);
        int layers = ActiveWeights.Split(model.Config, 2).Counts[0];
        Assert.Equal(all * model.Config.ExpertsPerToken * layers, pairs);
        if (of == "all") return;
        StepActivity[] kept =
            [StepActivity.Idle, StepActivity.DecodeStep, StepActivity.PrefillStep, StepActivity.Other, StepActivity.Experts];
        Assert.Empty(traces.SelectMany(t => t.Spans).Select(s => s.Activity).Except(kept));
        Assert.All(traces, t => Assert.All(Steps(t), s => Assert.Equal(s[^1].Ticks, s.Where(p => p.Activity >= StepActivity.Other)
            .Sum(p => p.Ticks))));
    }

    [Fact]
    public async Task The_last_steps_can_be_asked_for_alone_and_no_more_than_are_kept()
    {
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, 1, 2, "troupe.trace.steps = 8");
        RankTrace eight = (await RunAndTraceAsync(world, 8))[0], three = (await world.Client.TraceAsync(3, default))[0];
        Assert.Equal(8, Steps(eight).Count);
        Assert.Equal(Steps(eight).TakeLast(3), Steps(three));
        ClusterException error = await Assert.ThrowsAsync<ClusterException>(() => world.Client.TraceAsync(9, default));
        Assert.Contains("keeps the last 8 steps, 9 were asked for", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cluster_that_keeps_no_trace_says_how_to_make_it_keep_one()
    {
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, 1, 1, "troupe.trace.steps = 0");
        ClusterException error = await Assert.ThrowsAsync<ClusterException>(() => world.Client.TraceAsync(1, default));
        Assert.Contains("troupe.trace.steps", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Steps_that_lack_a_span_are_left_out()
    {
        StepSpan[] spans =
        [
            Span(1, StepActivity.DecodeStep, 2), // its first two are gone
            Span(2, StepActivity.Idle), Span(2, StepActivity.Other), Span(2, StepActivity.DecodeStep, 2),
            Span(3, StepActivity.Idle), Span(3, StepActivity.PrefillStep, 1),
            Span(4, StepActivity.Idle), Span(4, StepActivity.Other), // still runs
        ];
        Assert.Equal(spans[1..6], TraceReader.WholeSteps(spans, 5));
        Assert.Equal(spans[4..6], TraceReader.WholeSteps(spans, 1));
        Assert.Empty(TraceReader.WholeSteps(spans[..1], 1));

        static StepSpan Span(long step, StepActivity activity, int detail = 0) =>
            new(new StepId(step), 0, activity, -1, -1, 0, detail, 0, 1);
    }

    private static async Task<IReadOnlyList<RankTrace>> RunAndTraceAsync(InProcessWorld world, int steps)
    {
        Random random = Seed.For(nameof(TraceTests));
        IReadOnlyList<RequestOutcome> outcomes = await world.RunAsync([.. Enumerable.Range(0, 3).Select(i => InProcessWorld.Greedy(
            $"r{i}", [.. Enumerable.Range(0, 20).Select(_ => random.Next(500))], 13))]);
        Assert.All(outcomes, o => Assert.Equal(("", 13), (o.Error, o.Ids.Count)));
        return await world.Client.TraceAsync(steps, default).WaitAsync(Deadline);
    }

    /// <summary>The spans of each step, its own last.</summary>
    private static List<StepSpan[]> Steps(RankTrace trace)
    {
        var steps = new List<StepSpan[]>();
        for (int i = 0, first = 0; i < trace.Spans.Count; i++)
        {
            if (!trace.Spans[i].Activity.IsStep()) continue;
            steps.Add([.. trace.Spans.Skip(first).Take(i + 1 - first)]);
            first = i + 1;
        }
        return steps;
    }
}
