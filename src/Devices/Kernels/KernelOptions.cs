using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels;

/// <summary>A weight [N, K] and where its products with rows go.</summary>
/// <param name="weight">[N, K]</param>
/// <param name="y">[T, N]</param>
public readonly ref struct Product(Weight weight, Span<float> y)
{
    /// <summary>[N, K]</summary>
    public Weight Weight { get; } = weight;

    /// <summary>[T, N]</summary>
    public Span<float> Y { get; } = y;
}

/// <summary>Which values of each head turn by its position: those from <paramref name="First"/> on.</summary>
/// <param name="Size">D: width of a head.</param>
/// <param name="First">The first value that turns.</param>
/// <param name="Width">How many turn; even.</param>
/// <param name="Neighbours">Whether values 2i and 2i + 1 are a pair, as in GPT-J, and not i and i + width / 2, as in GPT-NeoX.</param>
public readonly record struct RopeHeads(int Size, int First, int Width, bool Neighbours = false);

/// <summary>How rows attend to what came before them.</summary>
/// <param name="Groups">How query heads share key/value heads.</param>
/// <param name="Scale">What scores are multiplied with.</param>
public readonly record struct Attending(HeadGroups Groups, float Scale)
{
    /// <summary>How many positions a row sees, itself included; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>
    /// [1, query heads]: for each a score that takes part in the softmax and has no value (Xiao et al. 2023); null without.
    /// </summary>
    public Weight? Sinks { get; init; }
}

/// <summary>How a router's logits become K experts and their weights.</summary>
/// <param name="Experts">E.</param>
public sealed record RouteRule(int Experts)
{
    /// <summary>Whether a score is the sigmoid of its own logit, in place of the softmax over all.</summary>
    public bool Sigmoid { get; init; }

    /// <summary>[1, E], added to the scores for the choice alone; null without.</summary>
    public Weight? Correction { get; init; }

    /// <summary>Groups of experts that follow each other; only experts of the best groups can be chosen.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>How many groups are the best ones.</summary>
    public int KeptGroups { get; init; } = 1;

    /// <summary>Whether a group counts as much as its two best experts together, in place of its best one.</summary>
    public bool GroupsByTwo { get; init; }

    /// <summary>Whether a row's K scores are scaled to sum to 1.</summary>
    public bool Normalize { get; init; }

    /// <summary>What weights are multiplied with at the end.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Whether experts are chosen by something else than their scores.</summary>
    public bool ChoosesApart => Correction is not null || Groups > 1;
}

/// <summary>
/// A matrix for each head, all in one: that of head h is <paramref name="Count"/> rows from h x <paramref name="Stride"/> +
/// <paramref name="First"/> on, [Count, K].
/// </summary>
/// <param name="All">The rows of all heads.</param>
/// <param name="Heads">How many there are.</param>
/// <param name="Stride">Rows of each head.</param>
/// <param name="First">The first of them that counts.</param>
/// <param name="Count">How many of them count.</param>
/// <param name="Transposed">Whether products are with the transpose: from Count values to K, in place of K to Count.</param>
public readonly record struct HeadMatrices(Weight All, int Heads, int Stride, int First, int Count, bool Transposed = false)
{
    /// <summary>Values that come in for a head.</summary>
    public int Inputs => Transposed ? Count : All.Columns;

    /// <summary>Values that come out for a head.</summary>
    public int Outputs => Transposed ? All.Columns : Count;
}
