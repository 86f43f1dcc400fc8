using System.Collections.Immutable;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Membership;

/// <summary>How an epoch ends: a rank is lost or fails, or the cluster drains.</summary>
public sealed partial record CoordinatorState
{
    /// <summary>The lifeline of a node ended, or nothing was heard on it for <paramref name="silence"/>.</summary>
    public (CoordinatorState, ImmutableList<Effect>) OnLost(string token, TimeSpan? silence = null) =>
        !Nodes.TryGetValue(token, out NodeEntry? node) ? (this, [])
        : silence is { } longest ? Lose(node, $"did not answer within {longest.TotalSeconds:0.###} s: {Process(node)} is stopped or hangs")
        : Lose(node, $"died: {Process(node)} ended its control connection");

    /// <summary>A local rank process ended: one that has joined is lost, one that has not will never come.</summary>
    public (CoordinatorState, ImmutableList<Effect>) OnChildEnded(ChildEnded ended) =>
        Nodes.Values.FirstOrDefault(n => n.Join.Pid == ended.Pid) is { } node ? Lose(node, $"died: {Process(node)} {ended.How}")
        : Phase == ClusterPhase.Gathering ? OnGiveUp($"a rank process (pid {ended.Pid}) {ended.How}") : (this, []);

    private (CoordinatorState, ImmutableList<Effect>) Lose(NodeEntry node, string how)
    {
        if (node.Phase == NodePhase.Lost) return (this, []);
        string token = node.Token;
        var down = new Effect.Down(node.Join.Address);
        if (Phase == ClusterPhase.Gathering) return (this with { Nodes = Nodes.Remove(token) }, [down]);
        CoordinatorState state = With(node with { Phase = NodePhase.Lost });
        if (Phase == ClusterPhase.Ended) return (state, [down]);
        var (aborted, effects) = state.Abort(node.Rank, how);
        return (aborted, effects.Insert(0, down));
    }

    private static string Process(NodeEntry node) => $"process {node.Join.Pid} at {node.Join.Address}";

    /// <summary>What a rank said of its vain wait, blamed on the node that has said nothing for so long, where that is another.</summary>
    public RankFailed Blame(RankFailed failed, string quiet, TimeSpan silence) =>
        Nodes[quiet].Rank is var rank && rank == failed.Culprit ? failed
        : failed with { Culprit = rank, Error = $"rank {rank} did not answer within {silence.TotalSeconds:0.###} s; {failed.Error}" };

    /// <summary>A rank's executor failed. The first failure ends the epoch; later ones say where the others were.</summary>
    public (CoordinatorState, ImmutableList<Effect>) On(RankFailed failed)
    {
        if (failed.Epoch != Epoch || Phase == ClusterPhase.Ended) return (this, []);
        CoordinatorState state =
            this with { Reported = Reported.Add(failed.Rank), Failure = Failure is null || Reported.IsEmpty ? failed.Error : Failure };
        if (Phase != ClusterPhase.Aborting)
        {
            (state, ImmutableList<Effect> effects) =
                state.Abort(failed.Culprit, failed.Culprit >= 0 ? $"failed a step: {failed.Error}" : failed.Error);
            return (state with { Failure = failed.Error }, effects);
        }
        return state.AllReported ? state.End() : (state, []);
    }

    /// <summary>The survivors have had their moment.</summary>
    public (CoordinatorState, ImmutableList<Effect>) OnReportsDue() => Phase == ClusterPhase.Aborting ? End() : (this, []);

    /// <summary>A failure before there was an epoch to abort: a node could not load, or too few came in time.</summary>
    public (CoordinatorState, ImmutableList<Effect>) OnGiveUp(string error) =>
        Phase is ClusterPhase.Ended ? (this, []) : (this with { Failure = Failure ?? error }).End();

    /// <summary>The user wants the cluster to stop: nothing new, running requests end first.</summary>
    public (CoordinatorState, ImmutableList<Effect>) OnDrain()
    {
        if (Phase is ClusterPhase.Aborting or ClusterPhase.Ended or ClusterPhase.Draining) return (this, []);
        if (Phase != ClusterPhase.Ready) return End();
        return (this with { Phase = ClusterPhase.Draining }, [.. Schedulers.Select(s => new Effect.Tell(s, new Drain(Epoch)))]);
    }

    /// <summary>A scheduler has nothing left.</summary>
    public (CoordinatorState, ImmutableList<Effect>) On(Drained drained)
    {
        if (drained.Epoch != Epoch || Phase != ClusterPhase.Draining) return (this, []);
        CoordinatorState state = this with { DrainedReplicas = DrainedReplicas.Add(drained.Replica) };
        return state.DrainedReplicas.Count == Terms.Layout.Replicas ? state.End() : (state, []);
    }

    private bool AllReported => ByRank.All(n => n.Phase == NodePhase.Lost || Reported.Contains(n.Rank));

    private (CoordinatorState, ImmutableList<Effect>) Abort(int culprit, string reason)
    {
        if (Phase == ClusterPhase.Aborting) return AllReported ? End() : (this, []);
        string name = culprit >= 0 ? $"rank {culprit} " : "";
        var aborted = new EpochAborted(Epoch, default, culprit, reason);
        ImmutableList<Effect> tell = [.. ByRank.Where(n => n.Phase != NodePhase.Lost && n.Prepared is not null)
            .Select(n => new Effect.Tell(n.Prepared!.RankRef, aborted)), new Effect.CollectReports()];
        CoordinatorState state = this with { Phase = ClusterPhase.Aborting, Failure = Failure ?? name + reason };
        return state.ByRank.Any(n => n.Prepared is not null) ? (state, tell) : state.End();
    }

    private (CoordinatorState, ImmutableList<Effect>) End()
    {
        var stop = new StopNode(Failure ?? "the cluster was asked to stop", Failure is not null);
        return (this with { Phase = ClusterPhase.Ended },
            [.. Nodes.Values.Where(n => n.Phase != NodePhase.Lost).Select(n => new Effect.Tell(n.Join.Node, stop)),
                new Effect.End(Failure)]);
    }
}
