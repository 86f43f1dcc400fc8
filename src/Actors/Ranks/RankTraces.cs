using Troupe.Actors.Protocols;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>What a rank says of its steps and its clock.</summary>
internal static class RankTraces
{
    /// <summary>A part of what it keeps: from the asked for span on, or the last steps.</summary>
    public static SpanBatch Answer(SpansRequest request, Assign assign, StepTrace? trace)
    {
        if (trace is null) return new SpanBatch(assign.Epoch, assign.Rank, 0, 0, 0, []);
        var spans = new StepSpan[SpanBatch.MaxSpans];
        long written = trace.Written;
        int count = trace.Read(request.From > 0 ? request.From : trace.StartOf(request.Steps), spans, out long first);
        return new SpanBatch(assign.Epoch, assign.Rank, trace.Steps, first, written, spans[..count]);
    }

    /// <summary>The rank's clock now: that of its spans.</summary>
    public static ClockPong Answer(Assign assign, TimeProvider clock) =>
        new(assign.Epoch, assign.Rank, clock.GetTimestamp(), clock.TimestampFrequency);
}
