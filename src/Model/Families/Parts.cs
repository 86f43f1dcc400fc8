using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>Parts of a layer that families share, from tensors named as in public checkpoints.</summary>
internal static class Parts
{
    public const string Embedding = "model.embed_tokens.weight", FinalNorm = "model.norm.weight", Head = "lm_head.weight";

    /// <summary>
    /// Grouped-query attention with this shard's heads, biases where the model has them, and norms of the heads where the family does.
    /// </summary>
    public static GroupedAttention Attention(LayerWeights l, AttentionTraits? traits = null)
    {
        (WeightReader weights, ModelConfig c, TensorSplit split, string at) = (l.Weights, l.Config, l.Spec.Split, $"{l.Name}.self_attn");
        traits ??= new AttentionTraits();
        bool whole = traits.Norms == HeadNormKind.AllHeads;
        // A norm over all heads needs all of them, on every tensor rank.
        (Part heads, Part kvHeads) = whole ? (new Part(0, c.Heads), new Part(0, c.KvHeads)) : (split.Heads, split.KvHeads);
        Weight? sinks = traits.Sinks ? weights.VectorPart($"{at}.sinks", c.Heads, split.Heads) : null;
        return new GroupedAttention(
            query: Project($"{at}.q_proj", c.Heads, heads),
            key: Project($"{at}.k_proj", c.KvHeads, kvHeads),
            value: Project($"{at}.v_proj", c.KvHeads, split.KvHeads),
            output: Output(l, at, c.HeadDim),
            c.HeadDim, new Attending(split.Groups, 1 / MathF.Sqrt(c.HeadDim)) { Window = traits.Window, Sinks = sinks },
            new RopeHeads(c.HeadDim, 0, c.Rope.Width, c.Rope.Neighbours))
        {
            Norms = traits.Norms == HeadNormKind.None ? null : new HeadNorms(
                weights.Vector($"{at}.q_norm.weight", whole ? c.Heads * c.HeadDim : c.HeadDim),
                weights.Vector($"{at}.k_norm.weight", whole ? c.KvHeads * c.HeadDim : c.HeadDim), (float)c.RmsNormEps),
            OwnHeads = whole && split.Ranks > 1 ? (split.Heads, split.KvHeads) : null,
            Limit = traits.Limit,
        };

        Projection Project(string name, int all, Part own) => new(
            weights.Outputs($"{name}.weight", all * c.HeadDim, c.HiddenSize, own.Times(c.HeadDim)),
            c.QkvBias ? weights.VectorPart($"{name}.bias", all * c.HeadDim, own.Times(c.HeadDim)) : null);
    }

    /// <summary>The output of attention from this shard's heads; the first tensor rank adds the bias to the sum.</summary>
    public static Projection Output(LayerWeights l, string at, int valueDim) => new(
        l.Weights.Inputs($"{at}.o_proj.weight", l.Config.HiddenSize, l.Config.Heads * valueDim, l.Spec.Split.Heads.Times(valueDim)),
        l.Config.OutputBias && l.Spec.Split.Rank == 0 ? l.Weights.Vector($"{at}.o_proj.bias", l.Config.HiddenSize) : null);

    /// <summary>A layer with a norm before each of its halves.</summary>
    public static DecoderLayer Layer(LayerWeights l, IAttention attention, IFeedForward feedForward) => new(
        l.Index, (float)l.Config.RmsNormEps, l.Weights.Vector($"{l.Name}.input_layernorm.weight", l.Config.HiddenSize), attention,
        l.Weights.Vector($"{l.Name}.post_attention_layernorm.weight", l.Config.HiddenSize), feedForward);

    /// <summary>The feed-forward of a dense layer, of which this shard has a part.</summary>
    public static DenseMlp Dense(LayerWeights l) => Dense(l, $"{l.Name}.mlp", l.Config.IntermediateSize, l.Spec.Split.Inner,
        last: l.Spec.Split.Rank == 0);

    /// <summary>The shared expert of a layer, which every rank has as a whole.</summary>
    public static SharedExpert Shared(LayerWeights l, string name, string? gate = null) => new(
        Dense(l, $"{l.Name}.mlp.{name}", l.Config.SharedExpertSize, new Part(0, l.Config.SharedExpertSize), last: true),
        share: gate is null ? null : l.Weights.Matrix($"{l.Name}.mlp.{gate}.weight", 1, l.Config.HiddenSize));

    /// <summary>The router and this shard's experts; the rule is what the config says, if no other one is given.</summary>
    public static MoeMlp Routed(LayerWeights l, ExpertNames names, SharedExpert? shared = null, RouteRule? rule = null)
    {
        Weight router = l.Weights.Matrix($"{l.Name}.{names.Router}.weight", l.Config.Experts, l.Config.HiddenSize);
        return new MoeMlp(new Projection(router), Experts(l, $"{l.Name}.{names.Experts}", names),
            rule ?? Rule(l.Config), l.Config.ExpertsPerToken, shared);
    }

    /// <summary>How the config says that experts are chosen: softmax, the best, perhaps of the best groups.</summary>
    public static RouteRule Rule(ModelConfig c) => new(c.Experts)
    {
        Normalize = c.NormTopkProb, Scale = (float)c.RoutingScale, Groups = c.RoutingGroups, KeptGroups = c.RoutingGroupsKept,
    };

    private static DenseMlp Dense(LayerWeights l, string at, int inner, Part part, bool last)
    {
        (WeightReader weights, int hidden, bool bias) = (l.Weights, l.Config.HiddenSize, l.Config.MlpBias);
        return new DenseMlp(Outputs("gate_proj"), Outputs("up_proj"), new Projection(
            weights.Inputs($"{at}.down_proj.weight", hidden, inner, part),
            bias && last ? weights.Vector($"{at}.down_proj.bias", hidden) : null));

        Projection Outputs(string name) => new(weights.Outputs($"{at}.{name}.weight", inner, hidden, part),
            bias ? weights.VectorPart($"{at}.{name}.bias", inner, part) : null);
    }

    private static ExpertWeights Experts(LayerWeights l, string at, ExpertNames names)
    {
        (ModelConfig c, IReadOnlyList<ExpertId> own) = (l.Config, l.Spec.Experts);
        (int inner, int hidden) = (c.MoeIntermediateSize, c.HiddenSize);
        string first = own.Count == 0 ? "" : $"{at}.{own[0].Value}.{names.Gate}.weight";
        if (own.Count > 0 && !l.Weights.Has(first, inner, hidden) && l.Weights.Has($"{at}.gate_up_proj", c.Experts, 2 * inner, hidden))
        {
            // All experts in one tensor, gates before ups.
            Weight[] Stacked(string name, int rows, int columns, int from, int count) => [.. own.Select(e =>
                l.Weights.Stacked($"{at}.{name}", c.Experts, rows, columns, e.Value, new Part(from, count)))];
            return new ExpertWeights(Stacked("gate_up_proj", 2 * inner, hidden, 0, inner),
                Stacked("gate_up_proj", 2 * inner, hidden, inner, inner), Stacked("down_proj", hidden, inner, 0, hidden));
        }
        return new ExpertWeights(All(names.Gate, inner, hidden), All(names.Up, inner, hidden), All(names.Down, hidden, inner));

        Weight[] All(string name, int outputs, int inputs)
        {
            var all = new Weight[own.Count];
            for (int i = 0; i < all.Length; i++)
                all[i] = l.Weights.MatrixLike(i > 0 ? all[0] : null, $"{at}.{own[i].Value}.{name}.weight", outputs, inputs);
            return all;
        }
    }
}

/// <summary>What the tensors of routed experts are called, behind the name of their layer.</summary>
/// <param name="Router">[E, H]</param>
/// <param name="Experts">What stands before an expert's number.</param>
/// <param name="Gate">[I, H] of an expert.</param>
/// <param name="Up">[I, H] of an expert.</param>
/// <param name="Down">[H, I] of an expert.</param>
internal sealed record ExpertNames(string Router, string Experts, string Gate, string Up, string Down)
{
    /// <summary>As most families call them.</summary>
    public static readonly ExpertNames Usual = new("mlp.gate", "mlp.experts", "gate_proj", "up_proj", "down_proj");
}

/// <summary>What the norms of queries and keys are taken over.</summary>
internal enum HeadNormKind
{
    /// <summary>There are none.</summary>
    None,

    /// <summary>Each head.</summary>
    EachHead,

    /// <summary>All heads of a row together.</summary>
    AllHeads,
}

/// <summary>What attention has in some families.</summary>
internal sealed record AttentionTraits
{
    /// <summary>Norms of queries and keys.</summary>
    public HeadNormKind Norms { get; init; }

    /// <summary>How many positions a row sees; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>Whether each head has a sink.</summary>
    public bool Sinks { get; init; }

    /// <summary>The bound of queries, keys and values; null without.</summary>
    public float? Limit { get; init; }
}
