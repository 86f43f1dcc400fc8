using System.Globalization;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Actors.Planning;

/// <summary>
/// Ranks the layouts of some ranks by how long N ranks need until each of N decoding requests has one more token; pure but for headers.
/// Every layout has the same load, one request for each rank, in as many micro-batches as stages: N / (stages x replicas) rows for a
/// replica in a step.
/// <para>A stage takes as long as its fullest rank reads active weights, of the routed experts those that some row of the group is
/// expected to choose, and as the cost model says for its exchange, its hop and its tensor ranks at guessed link costs. Left out: attention
/// over the context, arithmetic where it takes longer than reading, and that ranks of one host share its cores and its memory's
/// bandwidth.</para>
/// </summary>
public static class Suggester
{
    private const double PerSecond = 1e6; // microseconds

    /// <summary>All layouts of so many ranks, best first; those that do not fit last, with why.</summary>
    /// <param name="request">Its layout and split do not matter.</param>
    /// <param name="ranks">In [1, <see cref="Layout.MaxRanks"/>].</param>
    /// <exception cref="ConfigException">The hosts have too few slots.</exception>
    public static SuggestReport Rank(PlanRequest request, int ranks) => new(request.Model.Name, ranks, ranks, request.ReadBytesPerSecond,
        [.. Layouts(ranks).Select(layout => Of(request, layout)).OrderByDescending(s => s.Fits).ThenBy(s => s.Split.Count == 0)
            .ThenBy(s => s.RoundUs).ThenBy(s => s.StepUs).ThenBy(s => s.Messages).ThenBy(s => s.Stages)
            .ThenBy(s => s.Tensor)]);

    private static IEnumerable<Layout> Layouts(int ranks) =>
        from stages in Enumerable.Range(1, ranks).Where(s => ranks % s == 0)
        let members = ranks / stages
        from tensor in Enumerable.Range(1, members).Where(t => members % t == 0)
        select new Layout(stages, members / tensor, tensor);

    private static PlanSuggestion Of(PlanRequest request, Layout layout)
    {
        request = request with { Options = request.Options with { Layout = layout, Split = null, Rank = null } };
        if (LayoutCheck.Problem(request.Options, request.Model.Config) is { } impossible)
        {
            return new PlanSuggestion(layout.Stages, layout.Replicas, layout.Tensor, [], false, impossible,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        }
        var draft = new Draft(request);
        ClusterPlan plan = draft.Plan;
        int rows = layout.Tensor; // N requests over stages x replicas
        StepTraffic traffic = draft.Traffic(StepKind.Decode, rows);
        int[] stages = [.. Enumerable.Range(0, layout.Stages)];
        double[] weights = [.. stages.Select(stage => ReadBytes(plan, stage, rows) / request.ReadBytesPerSecond * PerSecond)];
        double[] exchange = [.. stages.Select(traffic.ExchangeUs)], hops = [.. stages.Select(traffic.HopUs)];
        double[] tensor = [.. stages.Select(traffic.TensorUs)];
        double[] all = [.. stages.Select(stage => weights[stage] + exchange[stage] + hops[stage] + tensor[stage])];
        double round = layout.Stages * PipelineTime.Period(all, layout.Stages);
        double bubble = PipelineTime.DecodeBubble(all, layout.Stages);
        string? problem = draft.Problems.FirstOrDefault();
        (string What, double Us)[] parts = [("reading weights", weights.Sum()), ("dispatch and combine", exchange.Sum()),
            ("hops", hops.Sum()), ("tensor ranks", tensor.Sum())];
        string shares = string.Join(", ",
            parts.Where(part => part.Us > 0).Select(part => $"{part.What} {Share(part.Us, all.Sum())}"));
        string why = problem ?? shares + (layout.Stages > 1 ? $"; stages wait {Share(bubble, 1)}" : "");
        return new PlanSuggestion(layout.Stages, layout.Replicas, layout.Tensor, plan.Split.Counts, problem is null, why, Us(round),
            Us(all.Sum()), Us(weights.Sum()), Us(exchange.Sum()), Us(hops.Sum()), Us(tensor.Sum()), Math.Round(bubble, 4),
            traffic.Links.Sum(l => l.Bytes),
            traffic.Links.Sum(l => l.Messages), (long)draft.Sizes.Blocks * draft.Sizes.BlockSize, MostRankBytes(draft));
    }

    private static double Us(double us) => Math.Round(us, 1);

    private static string Share(double part, double whole) =>
        string.Create(CultureInfo.InvariantCulture, $"{(whole > 0 ? 100 * part / whole : 0):0} %");

    private static long MostRankBytes(Draft draft) => draft.Plan.World.Ranks.Max(rank =>
        draft.Plan.Weights(rank) + (draft.Plan.KvBlockBytes(rank) * draft.Sizes.Blocks) + draft.WindowBytes);

    /// <summary>
    /// Bytes of weights that the fullest rank of a stage, its first, reads in a step: what every row needs, and of the routed experts it
    /// holds those that some of the group's n rows choose, each with chance 1 - (1 - K/E)^n.
    /// </summary>
    private static double ReadBytes(ClusterPlan plan, int stage, int rowsOfReplica)
    {
        (ModelConfig model, Layout layout) = (plan.Model.Config, plan.World.Layout);
        RankId rank = plan.World.RankAt(stage, 0);
        TensorSplit split = plan.Spec(rank).Split;
        ModelConfig part = model with { VocabSize = split.Vocabulary.Count };
        double chosen = model.Experts == 0 ? 0
            : 1 - Math.Pow(1 - ((double)model.ExpertsPerToken / model.Experts), layout.Replicas * (double)rowsOfReplica);
        double experts = plan.Spec(rank).Experts.Count * chosen * ActiveWeights.Expert(model);
        double values = plan.Split.Of(stage).Sum(layer =>
            ActiveWeights.Layer(model, layer, split, 0) + (model.IsMoeLayer(layer.Value) ? experts : 0));
        if (stage == 0) values += rowsOfReplica * (double)ActiveWeights.Embedding(part);
        if (stage == plan.Split.Stages - 1) values += ActiveWeights.Head(part);
        return values * ActiveWeights.ValueBytes(model);
    }
}
