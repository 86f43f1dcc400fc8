using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Layers;

/// <summary>Some of a row of things: those from <paramref name="First"/> on.</summary>
public readonly record struct Part(int First, int Count)
{
    /// <summary>The one behind the last.</summary>
    public int End => First + Count;

    /// <summary>The part of a rank where ranks share so many things as evenly as they come: the first ones have one more.</summary>
    public static Part Of(int all, int rank, int ranks)
    {
        (int share, int more) = Math.DivRem(all, ranks);
        return new Part(rank * share + Math.Min(rank, more), share + (rank < more ? 1 : 0));
    }

    /// <summary>The same where each thing is so many values wide.</summary>
    public Part Times(int width) => new(First * width, Count * width);

    /// <summary>Whether a thing is among them.</summary>
    public bool Has(int index) => index >= First && index < End;
}

/// <summary>
/// Which part of each layer, of the embedding and of the head a tensor rank holds, pure. Query heads, the width of a dense feed-forward and
/// the vocabulary are shared out; a rank holds the key/value heads that its query heads read, so that some may be on several ranks, as a
/// latent vector that all heads read is on all. Routed experts are not its affair: they are spread over all ranks of a stage. Nor are
/// norms, routers and shared experts, which every rank has.
/// <para>What is shared out by outputs comes first (queries, keys and values; gate and up), then what is shared out by inputs (output;
/// down): so each half of a layer ends in one sum over the ranks (Shoeybi et al. 2019).</para>
/// </summary>
/// <param name="Rank">The tensor rank.</param>
/// <param name="Ranks">How many there are.</param>
/// <param name="Heads">Its query heads.</param>
/// <param name="KvHeads">Its key/value heads.</param>
/// <param name="Groups">How its query heads share them.</param>
/// <param name="Inner">Its part of the width of a dense feed-forward.</param>
/// <param name="Vocabulary">Its rows of embedding and head.</param>
public sealed record TensorSplit(int Rank, int Ranks, Part Heads, Part KvHeads, HeadGroups Groups, Part Inner, Part Vocabulary)
{
    /// <summary>The split of a tensor rank.</summary>
    /// <exception cref="ModelException">The model cannot be split so; see <see cref="Problem"/>.</exception>
    public static TensorSplit Of(ModelConfig config, int rank, int ranks)
    {
        if (Problem(config, ranks) is { } problem) throw new ModelException(problem);
        Part heads = Part.Of(config.Heads, rank, ranks);
        int group = config.Heads / config.KvHeads, first = heads.First / group;
        return new TensorSplit(rank, ranks, heads, new Part(first, (heads.End - 1) / group - first + 1),
            new HeadGroups(group, heads.First % group), Part.Of(config.IntermediateSize, rank, ranks),
            Part.Of(config.VocabSize, rank, ranks));
    }

    /// <summary>
    /// This rank's rows of so many, where the ranks share out what each row alone decides: rank t of n has (rows + t) / n of them.
    /// </summary>
    public Part OwnRows(int rows)
    {
        int first = 0;
        for (int rank = 0; rank < Rank; rank++) first += (rows + rank) / Ranks;
        return new Part(first, (rows + Rank) / Ranks);
    }

    /// <summary>Why a model cannot be split over so many ranks, with the arithmetic, or null.</summary>
    public static string? Problem(ModelConfig config, int ranks)
    {
        int heads = config.Heads;
        if (heads % ranks != 0)
        {
            int[] good = [.. Enumerable.Range(1, heads).Where(n => heads % n == 0)];
            return $"the model's {heads} query heads do not divide over {ranks} tensor ranks ({heads} mod {ranks} = {heads % ranks}); use "
                + (heads == 1 ? "1" : $"{string.Join(", ", good[..^1])} or {heads}");
        }
        (string What, int Size)? small = config.VocabSize < ranks ? ("vocabulary entries", config.VocabSize)
            : config.IntermediateSize is > 0 and var inner && inner < ranks ? ("values in a feed-forward", inner) : null;
        return small is var (what, size) ? $"{ranks} tensor ranks for {size} {what}: each rank needs at least one" : null;
    }
}
