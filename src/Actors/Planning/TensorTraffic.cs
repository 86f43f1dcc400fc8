using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Actors.Planning;

/// <summary>
/// What the tensor ranks of a replica send each other in one step over a stage's layers, pure. The collectives are direct: an AllReduce
/// sends all rows to each of the others; a ReduceScatter sends each the rows that it sums, and a gather sends each one's own rows. A dense
/// layer has two AllReduces, a layer with experts a ReduceScatter and a gather, the embedding one AllReduce. The head sends parts of the
/// logits to the first rank, which gives the others the tokens. Values are fp32. Left out are heads, and which sequences a leased step has
/// rows of.
/// </summary>
/// <param name="Model">The whole model.</param>
/// <param name="Split">The layers of each stage.</param>
/// <param name="TensorRanks">T.</param>
/// <param name="Rows">Rows of the replica in the step.</param>
/// <param name="Logits">Rows of it that have logits.</param>
internal sealed record TensorTraffic(ModelConfig Model, LayerSplit Split, int TensorRanks, int Rows, int Logits)
{
    private const int TokenBytes = 12; // slot, token and how it goes on

    /// <summary>What tensor rank <paramref name="from"/> sends to another one.</summary>
    /// <returns>Bytes, and messages: one for each collective, since each is heard from even where it has nothing to say.</returns>
    public (double Bytes, double Messages) Between(int stage, int from, int to)
    {
        int moe = Split.Of(stage).Count(layer => Model.IsMoeLayer(layer.Value)), dense = Split.Counts[stage] - moe;
        (int reduces, bool head) = ((2 * dense) + (stage == 0 ? 1 : 0), stage == Split.Stages - 1 && Logits > 0);
        double rows = ((double)reduces * Rows) + ((double)moe * (OwnRows(to) + OwnRows(from)));
        double bytes = rows * Model.HiddenSize * sizeof(float);
        if (head && to == 0) bytes += (double)Logits * Part.Of(Model.VocabSize, from, TensorRanks).Count * sizeof(float);
        if (head && from == 0) bytes += (double)Logits * TokenBytes;
        return (bytes, reduces + (2 * moe) + (head ? 2 : 0));
    }

    private int OwnRows(int rank) => TensorSplit.Of(Model, rank, TensorRanks).OwnRows(Rows).Count;
}
