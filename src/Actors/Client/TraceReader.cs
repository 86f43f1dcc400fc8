using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;

namespace Troupe.Actors.Client;

/// <summary>What the last steps of a rank were made of: whole steps only, in the order in which they ran.</summary>
/// <param name="Clock">The rank, and how its clock lies.</param>
/// <param name="Spans">Of each step first what is in it, as it ended, then the step itself.</param>
public sealed record RankTrace(ClockReport Clock, IReadOnlyList<StepSpan> Spans);

/// <summary>Fetches the traces of a cluster's ranks, part by part.</summary>
internal static class TraceReader
{
    private static readonly TimeSpan PartDeadline = TimeSpan.FromSeconds(3);

    /// <summary>The last so many steps of a rank.</summary>
    /// <exception cref="ClusterException">It keeps fewer or none, or does not answer.</exception>
    public static async Task<RankTrace> ReadAsync(ICanTell gateway, ClockReport clock, int steps, CancellationToken cancel)
    {
        var spans = new List<StepSpan>();
        (long from, long end) = (0, long.MaxValue);
        while (from < end)
        {
            SpanBatch part = await AskAsync(gateway, new SpansRequest(default, clock.Rank, from, steps), cancel);
            if (part.Kept == 0)
                throw new ClusterException("this cluster keeps no trace: start it with troupe.trace.steps = 256, say, in its "
                    + "configuration");
            if (part.Kept < steps)
                throw new ClusterException($"rank {clock.Rank} keeps the last {part.Kept} steps, {steps} were asked for: ask for fewer "
                    + "--steps, or start the cluster with a larger troupe.trace.steps");
            end = Math.Min(end, part.Written);
            if (part.Spans.Count == 0) break;
            if (from > 0 && part.First != from) spans.Clear(); // overwritten since the last part
            spans.AddRange(part.Spans);
            from = part.First + part.Spans.Count;
        }
        return new RankTrace(clock, WholeSteps(spans, steps));
    }

    /// <summary>The last steps of which every span is there.</summary>
    internal static List<StepSpan> WholeSteps(IReadOnlyList<StepSpan> spans, int steps)
    {
        var whole = new Stack<(int First, int End)>();
        for (int end = spans.Count; end > 0 && whole.Count < steps;)
        {
            StepSpan last = spans[end - 1];
            int first = end - 1 - last.Detail;
            if (!last.Activity.IsStep())
            {
                end--; // of a step that still runs
                continue;
            }
            if (first < 0) break;
            whole.Push((first, end));
            end = first;
        }
        var kept = new List<StepSpan>();
        foreach ((int first, int end) in whole)
            for (int i = first; i < end; i++) kept.Add(spans[i]);
        return kept;
    }

    private static async Task<SpanBatch> AskAsync(ICanTell gateway, SpansRequest request, CancellationToken cancel)
    {
        try
        {
            return await gateway.Ask<ProtocolMessage>(request, PartDeadline, cancel) switch
            {
                SpanBatch batch => batch,
                Inspection refused => throw new ClusterException(refused.Error),
                var other => throw new ClusterException($"asked for spans of rank {request.Rank}, got a {other.GetType().Name}"),
            };
        }
        catch (AskTimeoutException)
        {
            throw new ClusterException($"no answer about the steps of rank {request.Rank} within {PartDeadline.TotalSeconds:0} s");
        }
    }
}
