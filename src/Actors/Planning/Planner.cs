using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Actors.Planning;

/// <summary>Plans one layout: the arithmetic of a real start without one. Pure, but for the headers that a model may read.</summary>
public static class Planner
{
    /// <summary>Who owns what, what it takes, and what does not fit.</summary>
    /// <exception cref="ConfigException">The hosts have too few slots.</exception>
    public static PlanReport Make(PlanRequest request)
    {
        (TroupeOptions options, ModelConfig model) = (request.Options, request.Model.Config);
        if (LayoutCheck.Problem(options, model) is { } impossible) return Empty(request, impossible);
        var draft = new Draft(request);
        ClusterPlan plan = draft.Plan;
        Layout layout = options.Layout;
        string[] problems = [.. draft.Problems, .. PipelineSchedule.InUse(layout, draft.Sizes.Lanes).Select(ScheduleChecker.Problem)
            .OfType<string>().Take(1)];
        return new PlanReport(request.Model.Name, layout.ToString(), layout.Stages, layout.Replicas, layout.Tensor, plan.Split.Counts,
            request.SplitBy, draft.Fabric, problems.Length == 0, problems, [.. Notes(draft)],
            (long)draft.Sizes.Blocks * draft.Sizes.BlockSize, [.. plan.World.Ranks.Select(rank => Rank(draft, rank))],
            [.. draft.Topology.Hosts.Select((_, host) => Host(draft, host))],
            [Step(draft, StepKind.Decode, 1), Step(draft, StepKind.Prefill, options.Scheduler.PrefillChunk)],
            Pipeline(draft), Groups(plan.World));
    }

    /// <summary>A range as status writes it: inclusive, empty for none.</summary>
    private static string Range(int first, int count) => count == 0 ? "" : $"{first}-{first + count - 1}";

    private static string Range(Part part) => Range(part.First, part.Count);

    private static PlanReport Empty(PlanRequest request, string problem)
    {
        Layout layout = request.Options.Layout;
        return new PlanReport(request.Model.Name, layout.ToString(), layout.Stages, layout.Replicas, layout.Tensor, [], request.SplitBy, "",
            false, [problem], [], 0, [], [], [], null, null);
    }

    private static PlanRank Rank(Draft draft, RankId rank)
    {
        ClusterPlan plan = draft.Plan;
        RankPlace place = plan.World.Place(rank);
        ShardSpec spec = plan.Spec(rank);
        long block = plan.KvBlockBytes(rank);
        return new PlanRank(rank.Value, draft.Topology.HostOf(rank), place.Stage, place.Replica, place.Tensor,
            Range(spec.First.Value, spec.Layers), Range(spec.Experts.Count > 0 ? spec.Experts[0].Value : 0, spec.Experts.Count),
            Range(spec.Split.Heads), Range(spec.Split.KvHeads), plan.Weights(rank), block / draft.Sizes.BlockSize,
            block * draft.Sizes.Blocks, draft.WindowBytes, ActiveWeights.Stage(plan.Model.Config, plan.Split, place.Stage));
    }

    private static PlanHost Host(Draft draft, int host)
    {
        (string name, MemoryNeed need) = (draft.Topology.Hosts[host], draft.Needs[host]);
        return new PlanHost(name, [.. draft.Topology.RanksOn(name).Members.Select(r => r.Value)], need.Weights, need.Kv,
            need.Ranks * need.Window, need.Total, draft.Request.MemoryOf(name), draft.MemoryProblem(host));
    }

    private static PlanStep Step(Draft draft, StepKind kind, int rows)
    {
        StepTraffic traffic = draft.Traffic(kind, rows);
        bool exchanges = draft.Plan.Model.Config.Experts > 0 && draft.Plan.Shape.Ranks > 1;
        return new PlanStep(kind == StepKind.Decode ? "decode" : "prefill", rows, exchanges ? traffic.Choice.Strategy : "none",
            exchanges ? traffic.Choice.Reason : "nothing to exchange", traffic.Links);
    }

    private static PlanPipeline Pipeline(Draft draft)
    {
        (int stages, int lanes) = (draft.Plan.Split.Stages, draft.Sizes.Lanes);
        double[] times = [.. Enumerable.Range(0, stages)
            .Select(stage => (double)ActiveWeights.Stage(draft.Plan.Model.Config, draft.Plan.Split, stage))];
        IEnumerable<int> prompts = new[] { 1, lanes, 4 * lanes }.Distinct();
        return new PlanPipeline(lanes, Share(PipelineTime.DecodeBubble(times, lanes)), [.. prompts.Select(chunks =>
            new PlanBubble(chunks, Share(PipelineTime.IdealBubble(stages, chunks)), Share(PipelineTime.Bubble(times, chunks))))]);

        static double Share(double bubble) => Math.Round(bubble, 4);
    }

    private static PlanGroups Groups(World world)
    {
        Layout layout = world.Layout;
        static IReadOnlyList<int> Numbers(RankGroup group) => [.. group.Members.Select(rank => rank.Value)];
        return new PlanGroups([.. Enumerable.Range(0, layout.Stages).Select(stage => Numbers(world.Stage(stage)))],
            [.. from stage in Enumerable.Range(0, layout.Stages) from replica in Enumerable.Range(0, layout.Replicas)
                select Numbers(world.TensorRanks(stage, replica))],
            [.. from replica in Enumerable.Range(0, layout.Replicas) from tensor in Enumerable.Range(0, layout.Tensor)
                select Numbers(world.Pipeline(replica, tensor))]);
    }

    private static IEnumerable<string> Notes(Draft draft)
    {
        (Layout layout, ModelConfig model) = (draft.Request.Options.Layout, draft.Request.Model.Config);
        int group = layout.Replicas * layout.Tensor;
        if (model.Experts > 0 && model.Experts < group)
            yield return $"{model.Experts} experts for the {group} ranks of a stage: {group - model.Experts} of them hold no expert";
        if (layout.Tensor > model.KvHeads || model.KvHeads % layout.Tensor != 0)
            yield return $"{model.KvHeads} key-value heads for {layout.Tensor} tensor ranks: heads that several ranks read are on each of "
                + "them";
        foreach (int stage in Enumerable.Range(0, layout.Stages))
            if (model.Experts > 0 && !draft.Plan.Split.Of(stage).Any(layer => model.IsMoeLayer(layer.Value)))
                yield return $"stage {stage} has no MoE layer: its ranks exchange nothing";
        string[] unknown = [.. draft.Request.Hosts?.Hosts.Where(h => h.MemoryBytes is null && draft.Topology.Hosts.Contains(h.Name))
            .Select(h => h.Name) ?? []];
        if (unknown.Length > 0)
            yield return $"{draft.Request.Hosts!.Name} has no memory for {string.Join(", ", unknown)}: taken to be like this host";
        if (draft.Request.Options.Scheduler.KvTokens is null)
            yield return $"kv-tokens is auto: {(long)draft.Sizes.Blocks * draft.Sizes.BlockSize} positions per replica, of at most half of "
                + "what weights and windows leave free";
    }
}
