using Troupe.Devices.All2All;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Layers;

/// <summary>Which part of a model a rank holds.</summary>
/// <param name="First">The first layer of its stage.</param>
/// <param name="Layers">How many layers its stage has.</param>
/// <param name="Experts">The routed experts it holds of each MoE layer, ascending.</param>
/// <param name="Embedding">Whether it turns tokens into hidden states: the first stage.</param>
/// <param name="Head">Whether it turns hidden states into logits: the last stage.</param>
public sealed record ShardSpec(LayerIndex First, int Layers, IReadOnlyList<ExpertId> Experts, bool Embedding, bool Head)
{
    /// <summary>The whole model on one rank.</summary>
    public static ShardSpec Whole(ModelConfig config) => Of(config, 0, 1, ExpertPlacement.Blocks(config.Experts, 1), 0);

    /// <summary>The part of a member of a stage's expert-parallel group, layers split by count alone.</summary>
    /// <exception cref="ModelException">More stages than layers.</exception>
    public static ShardSpec Of(ModelConfig config, int stage, int stages, ExpertPlacement placement, int member) =>
        stages <= config.Layers ? Of(LayerSplit.Even(config.Layers, stages), stage, placement, member)
            : throw new ModelException($"{stages} stages for {config.Layers} layers: each stage needs at least one layer");

    /// <summary>The part of a member of a stage's expert-parallel group, layers split as given.</summary>
    public static ShardSpec Of(LayerSplit split, int stage, ExpertPlacement placement, int member) =>
        new(split.First(stage), split.Counts[stage], placement.Of(member), stage == 0, stage == split.Stages - 1);
}

/// <summary>Sizes and types that a shard is made for.</summary>
public sealed record ShardOptions
{
    /// <summary>How keys and values are kept: F32 or BF16.</summary>
    public ElementType KvType { get; init; } = ElementType.F32;

    /// <summary>KV blocks of the cache.</summary>
    public required int KvBlocks { get; init; }

    /// <summary>Positions in a block: a multiple of 16.</summary>
    public int BlockSize { get; init; } = 16;

    /// <summary>The most rows of this replica in a step.</summary>
    public required int MaxRows { get; init; }

    /// <summary>R: ranks of the expert-parallel group; up to R x MaxRows rows arrive.</summary>
    public int GroupSize { get; init; } = 1;
}

/// <summary>How far loading is: parts are layers, embedding and head.</summary>
public readonly record struct LoadProgress(int Part, int Parts, long BytesHeld);
