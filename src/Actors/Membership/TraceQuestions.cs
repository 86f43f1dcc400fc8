using System.Text.Json;
using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Membership;

/// <summary>What the control node answers about traces, by asking the ranks.</summary>
internal static class TraceQuestions
{
    /// <summary>
    /// Pings of each rank. The shortest way there and the shortest way back count, so a few that meet no other traffic do.
    /// </summary>
    public const int Pings = 16;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>A part of a rank's spans; or why not, as an <see cref="Inspection"/>.</summary>
    public static async Task<ProtocolMessage> SpansAsync(SpansRequest request, InspectedCluster cluster)
    {
        NodeEntry[] ranks = Prepared(cluster);
        if (ranks.FirstOrDefault(n => n.Rank == request.Rank) is not { Prepared: { } prepared })
            return new Inspection("", $"rank {request.Rank} has not joined: the cluster waits for {cluster.State.WaitingFor}");
        try
        {
            return await prepared.RankRef.Ask<SpanBatch>(request with { Epoch = cluster.State.Epoch }, Deadline);
        }
        catch (Exception e) when (e is AskTimeoutException or TaskCanceledException)
        {
            return new Inspection("", $"rank {request.Rank} did not answer within {Deadline.TotalSeconds:0} s");
        }
    }

    /// <summary>
    /// How each rank's clock lies to this node's: one rank after the other is pinged, so that pings do not wait for each other (Mills, RFC
    /// 5905, section 8, keeps the shortest round trip; here each direction keeps its shortest, which can only be tighter).
    /// </summary>
    public static async Task<Inspection> ClocksAsync(InspectedCluster cluster, TimeProvider clock)
    {
        var world = new World(cluster.State.Terms.Layout);
        var clocks = new List<ClockReport>();
        double tickUs = 1e6 / clock.TimestampFrequency;
        foreach (NodeEntry node in Prepared(cluster))
        {
            (double there, double back) = (double.PositiveInfinity, double.PositiveInfinity);
            long frequency = 0;
            for (int i = 0; i < Pings; i++)
            {
                long sent = clock.GetTimestamp();
                ClockPong pong;
                try
                {
                    pong = await node.Prepared!.RankRef.Ask<ClockPong>(new ClockPing(cluster.State.Epoch), Deadline);
                }
                catch (Exception e) when (e is AskTimeoutException or TaskCanceledException)
                {
                    return new Inspection("", $"rank {node.Rank} did not answer a ping within {Deadline.TotalSeconds:0} s");
                }
                long came = clock.GetTimestamp();
                double at = pong.Ticks * 1e6 / pong.TicksPerSecond;
                (there, back) = (Math.Min(there, at - (sent * tickUs)), Math.Min(back, (came * tickUs) - at));
                frequency = pong.TicksPerSecond;
            }
            RankPlace place = world.Place(world.Rank(node.Rank));
            clocks.Add(new ClockReport(node.Rank, place.Stage, place.Replica, place.Tensor, frequency, there, back));
        }
        return new Inspection(JsonSerializer.Serialize(clocks, ReportJson.Default.ListClockReport), "");
    }

    private static NodeEntry[] Prepared(InspectedCluster cluster) =>
        [.. cluster.State.ByRank.Where(n => n is { Prepared: not null, Phase: not NodePhase.Lost })];
}
