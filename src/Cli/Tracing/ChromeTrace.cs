using System.Text.Json;
using Troupe.Model.Layers;

namespace Troupe.Cli.Tracing;

/// <summary>How much a trace file holds.</summary>
internal readonly record struct TraceCounts(int Events, int Arrows);

/// <summary>
/// Writes traces as Chrome's trace event format (the JSON object of Google's "Trace Event Format"), which Perfetto opens: a process for
/// each rank, a thread for each lane and one for the time between steps, arrows from notifications to the waits that they ended.
/// </summary>
internal sealed class ChromeTrace(IReadOnlyList<TracedRank> ranks, IReadOnlyList<Arrow> arrows, Timeline timeline)
{
    private const double AnInstant = 0.001; // a nanosecond: an arrow must end within its span, not at its edge

    private sealed record Event(int Process, int Thread, double At, double Length, Action<Utf8JsonWriter> Write);

    /// <summary>Writes all of it. Times start at 0 with the first span.</summary>
    public TraceCounts WriteTo(Stream stream)
    {
        List<Event> events =
            [.. ranks.Index().SelectMany(r => Spans(r.Index, r.Item)), .. arrows.Index().SelectMany(a => Ends(a.Index, a.Item))];
        double zero = events.Count == 0 ? 0 : events.Min(e => e.At);
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ns");
        WriteClocks(json);
        json.WriteStartArray("traceEvents");
        foreach (TracedRank rank in ranks) WriteNames(json, rank);
        foreach (Event e in events.OrderBy(e => e.Process).ThenBy(e => e.Thread).ThenBy(e => e.At).ThenByDescending(e => e.Length))
        {
            json.WriteStartObject();
            json.WriteNumber("pid", e.Process);
            json.WriteNumber("tid", e.Thread);
            json.WriteNumber("ts", Math.Round(e.At - zero, 3));
            e.Write(json);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        return new TraceCounts(events.Count - (2 * arrows.Count), arrows.Count);
    }

    private IEnumerable<Event> Spans(int index, TracedRank rank)
    {
        foreach (TracedStep step in rank.Steps)
        {
            if (step.Idle is { } idle) yield return Complete(index, rank, idle, "idle", Between(rank));
            StepSpan whole = step.Span;
            string kind = whole.Activity == StepActivity.PrefillStep ? "prefill" : "decode";
            yield return Complete(index, rank, whole, $"{kind} step {whole.Step.Value}", whole.Lane, ("rows", whole.Amount));
            foreach (TracedActivity activity in step.Activities)
            {
                StepSpan span = activity.Span;
                yield return Complete(index, rank, span, span.Activity.Words(), span.Lane, Amounts(span));
                foreach (StepSpan inner in activity.Within)
                {
                    string verb = inner.Activity == StepActivity.Wait ? "wait for" : "notify";
                    yield return Complete(index, rank, inner, $"{verb} rank {inner.Peer}", inner.Lane, ("peer", inner.Peer));
                }
            }
        }
    }

    private static (string, long)[] Amounts(StepSpan span) => span.Activity switch
    {
        StepActivity.Experts => [("rows_of_experts", span.Amount), ("experts", span.Detail)],
        StepActivity.DispatchPost or StepActivity.CombinePost or StepActivity.StageSend => [("bytes", span.Amount)],
        _ => [],
    };

    private Event Complete(int index, TracedRank rank, StepSpan span, string name, int thread, params (string Key, long Value)[] amounts) =>
        new(rank.Rank, thread, timeline.Us(index, span.Start), span.Ticks * rank.TickUs, json =>
        {
            json.WriteString("ph", "X");
            json.WriteString("name", name);
            json.WriteString("cat", span.Activity.Key());
            json.WriteNumber("dur", Math.Round(span.Ticks * rank.TickUs, 3));
            json.WriteStartObject("args");
            json.WriteNumber("step", span.Step.Value);
            if (span.Layer >= 0) json.WriteNumber("layer", span.Layer);
            foreach ((string key, long value) in amounts) json.WriteNumber(key, value);
            json.WriteEndObject();
        });

    /// <summary>An arrow starts at the notification and ends with the wait.</summary>
    private IEnumerable<Event> Ends(int id, Arrow arrow)
    {
        (StepSpan from, StepSpan to) = (arrow.Notified, arrow.Waited);
        double length = to.Ticks * ranks[arrow.Target].TickUs;
        yield return new Event(ranks[arrow.Source].Rank, from.Lane, timeline.Us(arrow.Source, from.Start), 0, json => Write(json, "s"));
        yield return new Event(ranks[arrow.Target].Rank, to.Lane,
            timeline.Us(arrow.Target, to.Start) + Math.Max(length / 2, length - AnInstant), 0, json => Write(json, "f"));

        void Write(Utf8JsonWriter json, string end)
        {
            json.WriteString("ph", end);
            json.WriteNumber("id", id + 1);
            json.WriteString("name", arrow.Receiving.Span.Activity.Words());
            json.WriteString("cat", "arrow");
            if (end == "f") json.WriteString("bp", "e");
        }
    }

    /// <summary>The thread for the time between steps: behind those of the lanes.</summary>
    private static int Between(TracedRank rank) => rank.Steps.Max(s => s.Span.Lane) + 1;

    private void WriteClocks(Utf8JsonWriter json)
    {
        json.WriteStartObject("otherData");
        json.WriteString("time", "microseconds of the control node's clock, from the first span on");
        json.WriteStartArray("clocks");
        foreach ((int index, TracedRank rank) in ranks.Index())
        {
            json.WriteStartObject();
            json.WriteNumber("rank", rank.Rank);
            json.WriteNumber("ahead_us", Math.Round(timeline.OffsetUs(index), 3));
            json.WriteNumber("uncertainty_us", Math.Round(timeline.UncertaintyUs(index), 3));
            json.WriteNumber("uncertainty_to_first_rank_us", Math.Round(timeline.Between(0, index), 3));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteNames(Utf8JsonWriter json, TracedRank rank)
    {
        Write("process_name", 0, rank.Name);
        if (rank.Steps.Count == 0) return;
        int between = Between(rank);
        foreach (int lane in rank.Steps.Select(s => s.Span.Lane).Distinct().Order()) Write("thread_name", lane, $"lane {lane}");
        Write("thread_name", between, "between steps");

        void Write(string what, int thread, string name)
        {
            json.WriteStartObject();
            json.WriteString("ph", "M");
            json.WriteString("name", what);
            json.WriteNumber("pid", rank.Rank);
            json.WriteNumber("tid", thread);
            json.WriteStartObject("args");
            json.WriteString("name", name);
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }
}
