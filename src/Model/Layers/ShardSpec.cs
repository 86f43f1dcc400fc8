using Troupe.Devices.All2All;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;

namespace Troupe.Model.Layers;

/// <summary>Which part of a model a rank holds.</summary>
/// <param name="First">The first layer of its stage.</param>
/// <param name="Layers">How many layers its stage has.</param>
/// <param name="Experts">The routed experts it holds of each MoE layer, ascending.</param>
/// <param name="Embedding">Whether it turns tokens into hidden states: the first stage.</param>
/// <param name="Head">Whether it turns hidden states into logits: the last stage.</param>
/// <param name="Split">Its part of what the tensor ranks of a replica share.</param>
public sealed record ShardSpec(
    LayerIndex First, int Layers, IReadOnlyList<ExpertId> Experts, bool Embedding, bool Head, TensorSplit Split)
{
    /// <summary>The whole model on one rank.</summary>
    public static ShardSpec Whole(ModelConfig config) => Of(config, 0, 1, ExpertPlacement.Blocks(config.Experts, 1), 0);

    /// <summary>The part of a member of a stage's expert-parallel group, layers split by count alone.</summary>
    /// <exception cref="ModelException">More stages than layers, or heads that the tensor ranks cannot share.</exception>
    public static ShardSpec Of(ModelConfig config, int stage, int stages, ExpertPlacement placement, int member, int tensorRanks = 1) =>
        stages <= config.Layers ? Of(config, LayerSplit.Even(config.Layers, stages), stage, placement, member, tensorRanks)
            : throw new ModelException($"{stages} stages for {config.Layers} layers: each stage needs at least one layer");

    /// <summary>
    /// The part of a member of a stage's expert-parallel group, in which the tensor ranks of a replica follow each other; layers split as
    /// given.
    /// </summary>
    /// <exception cref="ModelException">Heads that the tensor ranks cannot share.</exception>
    public static ShardSpec Of(
        ModelConfig config, LayerSplit split, int stage, ExpertPlacement placement, int member, int tensorRanks = 1) =>
        new(split.First(stage), split.Counts[stage], placement.Of(member), stage == 0, stage == split.Stages - 1,
            TensorSplit.Of(config, member % tensorRanks, tensorRanks));
}

/// <summary>Sizes and types that a shard is made for.</summary>
public sealed record ShardOptions
{
    /// <summary>How keys and values are kept: F32 or BF16.</summary>
    public ElementType KvType { get; init; } = ElementType.F32;

    /// <summary>The form that matrices are turned into as they are loaded.</summary>
    public WeightForm Weights { get; init; }

    /// <summary>KV blocks of the cache.</summary>
    public required int KvBlocks { get; init; }

    /// <summary>Positions in a block: a multiple of 16.</summary>
    public int BlockSize { get; init; } = 16;

    /// <summary>The most rows of this replica in a step.</summary>
    public required int MaxRows { get; init; }

    /// <summary>R: ranks of the expert-parallel group. Each brings its share of its replica's rows, and all of them may arrive.</summary>
    public int GroupSize { get; init; } = 1;

    /// <summary>The most rows that one of so many tensor ranks sends to their experts.</summary>
    public static int MostOwnRows(int maxRows, int tensorRanks) => (maxRows + tensorRanks - 1) / tensorRanks;
}

/// <summary>How far loading is: parts are layers, embedding and head.</summary>
public readonly record struct LoadProgress(int Part, int Parts, long BytesHeld);
