using Troupe.Model.Layers;
using static Troupe.Actors.Protocols.WireCheck;

namespace Troupe.Actors.Protocols;

/// <summary>The wire form of Trace.cs; the schema is Trace.proto.</summary>
internal static class TraceWire
{
    public static readonly WireForm[] Forms =
    [
        WireForm.Of<ClockPing, Wire.ClockPing>(Write, Read),
        WireForm.Of<ClockPong, Wire.ClockPong>(Write, Read),
        WireForm.Of<SpansRequest, Wire.SpansRequest>(Write, Read),
        WireForm.Of<SpanBatch, Wire.SpanBatch>(Write, Read),
    ];

    private static Wire.ClockPing Write(ClockPing m) => new() { Epoch = m.Epoch.Value, Step = m.Step.Value };

    private static ClockPing Read(Wire.ClockPing p) => new(ToEpoch(p.Epoch));

    private static Wire.ClockPong Write(ClockPong m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Rank = m.Rank, Ticks = m.Ticks, TicksPerSecond = m.TicksPerSecond,
    };

    private static ClockPong Read(Wire.ClockPong p) =>
        new(ToEpoch(p.Epoch), NotNegative(p.Rank), NotNegative(p.Ticks), NotNegative(p.TicksPerSecond));

    private static Wire.SpansRequest Write(SpansRequest m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Rank = m.Rank, From = m.From, Steps = m.Steps };

    private static SpansRequest Read(Wire.SpansRequest p) =>
        new(ToEpoch(p.Epoch), NotNegative(p.Rank), NotNegative(p.From), NotNegative(p.Steps));

    private static Wire.SpanBatch Write(SpanBatch m)
    {
        var p = new Wire.SpanBatch
        {
            Epoch = m.Epoch.Value, Step = m.Step.Value, Rank = m.Rank, Kept = m.Kept, First = m.First, Written = m.Written,
            Origin = m.Spans.Count == 0 ? 0 : m.Spans.Min(s => s.Start),
        };
        foreach (StepSpan s in m.Spans)
        {
            p.StepIds.Add(s.Step.Value);
            p.Lanes.Add(s.Lane);
            p.Activities.Add((int)s.Activity);
            p.Layers.Add(s.Layer + 1);
            p.Peers.Add(s.Peer + 1);
            p.Amounts.Add(s.Amount);
            p.Details.Add(s.Detail);
            p.Starts.Add(s.Start - p.Origin);
            p.Lengths.Add(s.Ticks);
        }
        return p;
    }

    private static SpanBatch Read(Wire.SpanBatch p)
    {
        const int Most = SpanBatch.MaxSpans;
        long[] steps = Numbers(p.StepIds, Most), amounts = Numbers(p.Amounts, Most), starts = Numbers(p.Starts, Most),
            lengths = Numbers(p.Lengths, Most);
        int[] lanes = Numbers(p.Lanes, Most), layers = Numbers(p.Layers, Most), peers = Numbers(p.Peers, Most),
            details = Numbers(p.Details, Most), activities = Numbers(p.Activities, Most);
        foreach (int other in (int[])[lanes.Length, activities.Length, layers.Length, peers.Length, amounts.Length, details.Length,
            starts.Length, lengths.Length])
            Paired(other, steps.Length, Most, "p.Columns", "p.StepIds");
        long origin = NotNegative(p.Origin);
        var spans = new StepSpan[steps.Length];
        for (int i = 0; i < spans.Length; i++)
        {
            spans[i] = new StepSpan(new(steps[i]), lanes[i], Known<StepActivity>(activities[i]), layers[i] - 1, peers[i] - 1, amounts[i],
                details[i], origin + starts[i], lengths[i]);
        }
        return new SpanBatch(
            ToEpoch(p.Epoch), NotNegative(p.Rank), NotNegative(p.Kept), NotNegative(p.First), NotNegative(p.Written), spans);
    }
}
