using Troupe.Devices.Topology;
using Troupe.Model.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Layers;

/// <summary>The ring of spans: what is read is what was written, whatever was overwritten meanwhile.</summary>
public sealed class StepTraceTests
{
    private static readonly World s_world = new(new Layout(1, 2, 1));

    [Fact]
    public void Activities_lie_end_to_end_within_their_step_and_idle_time_before_it()
    {
        var trace = new StepTrace(8, 8);
        trace.Begin(new StepId(1), 3, 100);
        trace.At(StepActivity.Embed, -1, 110);
        trace.At(StepActivity.Attention, 5, 130);
        trace.At(StepActivity.Attention, 5, 131); // still the same
        trace.Within(StepActivity.Wait, s_world.Rank(1), 7, 99, 140, 150);
        trace.Note(11, 2);
        trace.Note(4, 1);
        trace.At(StepActivity.Attention, 6, 160);
        trace.End(StepActivity.DecodeStep, 2, 200);
        trace.Begin(new StepId(2), 0, 230);
        trace.End(StepActivity.PrefillStep, 9, 231);

        Assert.Equal(
        [
            new(new StepId(1), 3, StepActivity.Other, -1, -1, 0, 0, 100, 10),
            new(new StepId(1), 3, StepActivity.Embed, -1, -1, 0, 0, 110, 20),
            new(new StepId(1), 3, StepActivity.Wait, 5, 1, 99, 7, 140, 10),
            new(new StepId(1), 3, StepActivity.Attention, 5, -1, 15, 3, 130, 30),
            new(new StepId(1), 3, StepActivity.Attention, 6, -1, 0, 0, 160, 40),
            new(new StepId(1), 3, StepActivity.DecodeStep, -1, -1, 2, 5, 100, 100),
            new(new StepId(2), 0, StepActivity.Idle, -1, -1, 0, 0, 200, 30),
            new(new StepId(2), 0, StepActivity.Other, -1, -1, 0, 0, 230, 1),
            new StepSpan(new StepId(2), 0, StepActivity.PrefillStep, -1, -1, 9, 2, 230, 1),
        ], All(trace, 0));
    }

    [Fact]
    public void Points_outside_of_a_step_leave_nothing()
    {
        var trace = new StepTrace(2, 2);
        trace.At(StepActivity.Attention, 0, 1);
        trace.Note(1, 1);
        Assert.Equal((0, 0, 0), (trace.Written, trace.Read(0, new StepSpan[4], out long first), first));
        Assert.Equal(0, trace.StartOf(1));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 5)]
    [InlineData(16, 9)]
    public void After_any_number_of_turns_the_last_steps_are_there_whole_and_exact(int steps, int activities)
    {
        var trace = new StepTrace(steps, activities + 3);
        Random random = Seed.For($"{nameof(StepTraceTests)} {steps} {activities}");
        var written = new List<StepSpan>();
        for (int step = 1; step <= 40 * steps; step++)
        {
            written.AddRange(WriteStep(trace, step, random.Next(1, activities + 1)));
            StepSpan[] read = All(trace, 0);
            Assert.Equal(written.Skip(written.Count - read.Length), read);
            int kept = Math.Min(step, steps);
            StepSpan[] last = All(trace, trace.StartOf(kept));
            Assert.True(last.Count(s => s.Activity.IsStep()) >= kept);
            Assert.Equal(written.Skip(written.Count - last.Length), last);
            // Its first span starts a step: nothing of a step is read but all of it.
            Assert.True(last[0].Activity == StepActivity.Idle || last[0].Step.Value == 1);
        }
    }

    [Fact]
    public void Another_thread_reads_only_what_is_whole_while_the_ring_turns()
    {
        var trace = new StepTrace(4, 12);
        using var stop = new CancellationTokenSource();
        var writer = new Thread(() =>
        {
            for (int step = 1; !stop.IsCancellationRequested; step++) WriteStep(trace, step, 1 + (step % 9));
        });
        writer.Start();
        var into = new StepSpan[64];
        long seen = 0;
        while (seen < 20_000)
        {
            int count = trace.Read(Math.Max(0, trace.Written - 200), into, out long first);
            for (int i = 0; i < count; i++)
            {
                // Every span says by itself what it must be: a torn one does not.
                StepSpan s = into[i];
                if (s.Activity is not (StepActivity.Idle or StepActivity.Other)) Assert.Equal(s.Amount, s.Step.Value * 1000 + s.Detail);
                Assert.Equal((s.Step.Value % 7, 1L), (s.Lane, s.Activity == StepActivity.Attention ? s.Ticks : 1));
            }
            seen += count;
            Assert.True(first >= 0);
        }
        stop.Cancel();
        Assert.True(writer.Join(TimeSpan.FromMinutes(1)));
    }

    private static List<StepSpan> WriteStep(StepTrace trace, int step, int activities)
    {
        var wanted = new List<StepSpan>();
        (var id, int lane, long now) = (new StepId(step), step % 7, step * 1000L);
        trace.Begin(id, lane, now);
        if (step > 1) wanted.Add(new StepSpan(id, lane, StepActivity.Idle, -1, -1, 0, 0, now - 10, 10));
        wanted.Add(new StepSpan(id, lane, StepActivity.Other, -1, -1, 0, 0, now, 1));
        for (int i = 0; i < activities; i++)
        {
            trace.At(StepActivity.Attention, i, now + 1 + i);
            trace.Note((step * 1000L) + i, i);
            wanted.Add(new StepSpan(id, lane, StepActivity.Attention, i, -1, (step * 1000L) + i, i, now + 1 + i, 1));
        }
        trace.At(StepActivity.Other, -1, now + 1 + activities);
        wanted.Add(new StepSpan(id, lane, StepActivity.Other, -1, -1, 0, 0, now + 1 + activities, 990 - 1 - activities));
        int rows = (step * 1000) + wanted.Count;
        trace.End(StepActivity.DecodeStep, rows, now + 990);
        wanted.Add(new StepSpan(id, lane, StepActivity.DecodeStep, -1, -1, rows, wanted.Count, now, 990));
        return wanted;
    }

    private static StepSpan[] All(StepTrace trace, long from)
    {
        var spans = new List<StepSpan>();
        var into = new StepSpan[5];
        for (int count; (count = trace.Read(from, into, out long first)) > 0; from = first + count) spans.AddRange(into[..count]);
        return [.. spans];
    }
}
