using System.Text.Json;
using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Membership;

/// <summary>
/// Answers the state tooling: puts together what the coordinator knows and what ranks, schedulers and router say within a deadline.
/// </summary>
public sealed class Inspector(IClusterPort port, TimeProvider clock, string model, Layout layout, string provider)
{
    /// <summary>What a node waits for that has not met the coordinator.</summary>
    public const string NoCoordinator = "the control node (no member with role control is up yet)";

    /// <summary>Why a node that has not met the coordinator cannot answer.</summary>
    public const string NoCluster = $"there is no cluster yet: this node waits for {NoCoordinator}";

    private static readonly TimeSpan ReportDeadline = TimeSpan.FromMilliseconds(500);
    private readonly long _started = clock.GetTimestamp();
    private string? _waitingFor;
    private long _waitingSince;

    /// <summary>The answer to a question; <paramref name="cluster"/> is null on a node that has not met the coordinator.</summary>
    public async Task<Inspection> Answer(Inspect question, InspectedCluster? cluster)
    {
        switch (question.Subject)
        {
            case Subject.Status:
                return Ok(JsonSerializer.Serialize(await StatusAsync(cluster), ReportJson.Default.StatusReport));
            case Subject.Members:
                return Ok(JsonSerializer.Serialize(Members(cluster?.State), ReportJson.Default.ListMemberReport));
            case Subject.Explain:
                return await ExplainAsync(question, cluster);
            case Subject.ExpertLoad:
                return Ok("[" + string.Join(",", await AskRanksAsync(cluster, Subject.ExpertLoad)) + "]");
            case Subject.Clocks:
                return cluster is null ? new Inspection("", NoCluster) : await TraceQuestions.ClocksAsync(cluster, clock);
            case Subject.Leave or Subject.Down:
                return Remove(question);
            default:
                return new Inspection("", $"cannot answer {question.Subject}");
        }
    }

    private static Inspection Ok(string json) => new(json, "");

    private async Task<StatusReport> StatusAsync(InspectedCluster? cluster)
    {
        CoordinatorState? state = cluster?.State;
        string? waiting = state is null ? NoCoordinator : state.WaitingFor;
        if (!string.Equals(waiting, _waitingFor, StringComparison.Ordinal) || _waitingSince == 0)
            (_waitingFor, _waitingSince) = (waiting, _waitingSince == 0 ? _started : clock.GetTimestamp());
        Task<IReadOnlyList<string>> ranks = AskRanksAsync(cluster, Subject.Status);
        Task<IReadOnlyList<string>> schedulers =
            AskAsync(state?.Schedulers ?? [], new ReportRequest(state?.Epoch ?? default, Subject.Status, ""));
        Task<IReadOnlyList<string>> router =
            AskAsync(cluster?.Router is { } r ? [r] : [], new ReportRequest(state?.Epoch ?? default, Subject.Status, ""));
        await Task.WhenAll(ranks, schedulers, router);
        RouterReport? routing = (await router).Select(j => JsonSerializer.Deserialize(j, ReportJson.Default.RouterReport)).FirstOrDefault();
        SchedulerReport[] queues = [.. (await schedulers).Select(j => JsonSerializer.Deserialize(j, ReportJson.Default.SchedulerReport)!)];
        return new StatusReport(
            waiting is null, waiting, waiting is null ? 0 : Math.Round(clock.GetElapsedTime(_waitingSince).TotalSeconds, 1),
                state?.Epoch.Value ?? 0,
            routing?.Lease ?? "none", routing?.Step ?? 0, queues.Sum(q => q.Queued), queues.Sum(q => q.Running), model, layout.ToString(),
            state?.Fabric ?? "", provider, routing?.StrategiesUsed ?? new Dictionary<string, long>(StringComparer.Ordinal),
            Ranks(state, await ranks), queues, routing?.Recent ?? [])
        {
            OutOfUse = routing?.OutOfUse ?? new Dictionary<string, string>(StringComparer.Ordinal),
            Links = routing?.Links,
        };
    }

    private static List<RankReport> Ranks(CoordinatorState? state, IReadOnlyList<string> reports)
    {
        if (state is null) return [];
        var live = reports.Select(j => JsonSerializer.Deserialize(j, ReportJson.Default.RankReport)!).ToDictionary(r => r.Rank);
        var world = new World(state.Terms.Layout);
        var ranks = new List<RankReport>();
        foreach (NodeEntry node in state.Nodes.Values.OrderBy(n => n.Rank).ThenBy(n => n.Join.Address, AddressOrder.Instance))
        {
            RankPlace place = node.Rank >= 0 ? world.Place(world.Rank(node.Rank)) : new RankPlace(-1, -1, -1);
            live.TryGetValue(node.Rank, out RankReport? said);
            ranks.Add(new RankReport(node.Rank, place.Stage, place.Replica, place.Tensor, node.Join.Pid, node.Join.Address,
                node.Prepared?.Layers ?? "", node.Prepared?.Experts ?? "", said is null && node.Phase == NodePhase.Ready ? "silent"
                    : node.Phase.ToString().ToLowerInvariant(),
                node.LoadFraction, node.Prepared?.WeightBytes ?? 0, said?.At ?? "", said?.FabricBytesSent ?? 0, said?.ActorBytesSent ?? 0,
                    said?.ResidentBytes ?? 0)
            {
                StepMessagesSent = said?.StepMessagesSent ?? 0,
            });
        }
        return ranks;
    }

    private List<MemberReport> Members(CoordinatorState? state) =>
        [.. port.Members().Select(m =>
        {
            NodeEntry? node = state?.Nodes.Values.FirstOrDefault(n => m.Address.EndsWith(n.Join.Address, StringComparison.Ordinal));
            bool control = m.Roles.Contains(ClusterWatchActor.ControlRole) && state is not null;
            return new MemberReport(m.Address, m.Roles, m.Status, m.Reachable, node?.Join.Pid ?? (control ? Environment.ProcessId : null),
                node is { Rank: >= 0 } ? node.Rank : null, node?.Join.Provider ?? provider);
        })];

    private static async Task<Inspection> ExplainAsync(Inspect question, InspectedCluster? cluster)
    {
        if (cluster?.Router is not { } router)
            return new Inspection("", $"no step was planned yet: the cluster waits for {cluster?.State.WaitingFor ?? NoCoordinator}");
        IReadOnlyList<string> answers =
            await AskAsync([router], new ReportRequest(cluster.State.Epoch, Subject.Explain, question.Argument));
        if (answers.Count == 0) return new Inspection("", "the router did not answer in time; try again");
        return answers[0].Length > 0 ? Ok(answers[0]) : new Inspection("",
            question.Argument.Length > 0 ? $"step {question.Argument} was not planned, or is older than the steps that are kept"
                : "no step was planned yet");
    }

    private Inspection Remove(Inspect question)
    {
        MemberSnapshot? member = port.Members()
            .FirstOrDefault(m => m.Address.EndsWith(question.Argument, StringComparison.Ordinal) && question.Argument.Length > 0);
        if (member is null)
            return new Inspection("",
                $"no member {question.Argument}; members are {string.Join(", ", port.Members().Select(m => m.Address))}");
        if (question.Subject == Subject.Leave) port.Leave(member.Address);
        else port.Down(member.Address);
        return Ok(JsonSerializer.Serialize(Members(null).Where(m => m.Address == member.Address).ToList(),
            ReportJson.Default.ListMemberReport));
    }

    private static Task<IReadOnlyList<string>> AskRanksAsync(InspectedCluster? cluster, Subject subject) => AskAsync(
        cluster is null ? []
            : [.. cluster.State.ByRank.Where(n => n is { Prepared: not null, Phase: not NodePhase.Lost }).Select(n => n.Prepared!.RankRef)],
        new ReportRequest(cluster?.State.Epoch ?? default, subject, ""));

    private static async Task<IReadOnlyList<string>> AskAsync(IReadOnlyList<IActorRef> actors, ReportRequest request)
    {
        var answers = new List<string>();
        foreach (Task<Report> asked in actors.Select(a => a.Ask<Report>(request, ReportDeadline)).ToList())
        {
            try
            {
                answers.Add((await asked).Json);
            }
            catch (Exception e) when (e is AskTimeoutException or TaskCanceledException)
            {
                // Left out: the report shows a rank that did not answer as silent.
            }
        }
        return answers;
    }
}
