using Troupe.Devices.Collectives;
using Troupe.Devices.Tensors;

namespace Troupe.Model.Layers;

/// <summary>
/// What the tensor ranks of a replica do together: they all run the same steps over the same rows, and each makes a part of every sum. A
/// rank that has no others does nothing here. Sums are of fp32 and in one order, so that all ranks have the same bits on every run.
/// <para><b>Rows of its own.</b> What a row alone decides need not be done by all: before routed experts the sums are scattered, rank t of
/// n taking (T + t) / n of the T rows, and afterwards the rows are gathered. So no row goes to an expert twice, the residual and the norm
/// between cost 1/n each, and the two halves carry together what one sum for all would.</para>
/// </summary>
internal sealed class TensorRanks : IDisposable
{
    private readonly ICommunicator? _communicator;
    private readonly TensorSplit _split;
    private readonly NativeBuffer _slice;
    private readonly int[] _counts; // [R] values of each rank
    private readonly int _vocabulary;

    /// <summary>The ranks of a split; the communicator is theirs in its order, and null where there is but one.</summary>
    public TensorRanks(TensorSplit split, int vocabulary, ICommunicator? communicator)
    {
        if (split.Ranks > 1 && (communicator is null || communicator.Group.Size != split.Ranks || communicator.Position != split.Rank))
        {
            throw new ArgumentException(
                $"tensor rank {split.Rank} of {split.Ranks} needs a communicator of these ranks in this order", nameof(communicator));
        }
        (_split, _vocabulary, _communicator) = (split, vocabulary, communicator);
        _counts = new int[split.Ranks];
        _slice = NativeBuffer.OfFloats(split.Ranks == 1 ? 0 : (long)ModelShard.LogitRows * split.Vocabulary.Count);
    }

    /// <summary>Whether there are no others.</summary>
    public bool Alone => _split.Ranks == 1;

    /// <summary>The most bytes that a rank sends to another at once: hidden rows, or logits of the widest part of the vocabulary.</summary>
    public static long MostBytes(int rows, int hidden, int vocabulary, int ranks) => sizeof(float)
        * Math.Max((long)rows * hidden, (long)ModelShard.LogitRows * Part.Of(vocabulary, 0, ranks).Count);

    /// <summary>This rank's rows of so many.</summary>
    public Part OwnRows(int rows) => _split.OwnRows(rows);

    /// <summary>Replaces values by their sums over the ranks.</summary>
    public void Sum(Span<float> values)
    {
        if (!Alone && values.Length > 0) _communicator!.AllReduce(values);
    }

    /// <summary>Replaces this rank's rows by their sums over the ranks; the others' are of no use afterwards. values: [T, width].</summary>
    public void SumOwn(Span<float> values, int width)
    {
        if (Alone || values.Length == 0) return;
        Part own = Count(values.Length / width, width);
        _communicator!.ReduceScatterV(values, _counts, values.Slice(own.First, own.Count));
    }

    /// <summary>Fills in the rows of the other ranks. values: [T, width].</summary>
    public void Gather(Span<float> values, int width)
    {
        if (Alone || values.Length == 0) return;
        Part own = Count(values.Length / width, width);
        _communicator!.AllGatherV<float>(values.Slice(own.First, own.Count), values, _counts);
    }

    /// <summary>Room for this rank's part of the logits of some rows: [n, part of V].</summary>
    public Span<float> LogitsPart(int rows) => _slice.Floats(rows * _split.Vocabulary.Count);

    /// <summary>
    /// Puts all parts of the logits together on the rank that leads; the others only give theirs. logits: [n, V], there. The part was
    /// filled in.
    /// </summary>
    public void GatherLogits(int rows, Span<float> logits)
    {
        Exchange exchange = _communicator!.Exchange;
        bool leads = _split.Rank == 0;
        exchange.Begin();
        if (!leads) exchange.Add<float>(0, LogitsPart(rows));
        exchange.Post();
        for (int rank = 0; rank < _split.Ranks; rank++)
        {
            if (rank != _split.Rank) exchange.Wait(rank);
            if (!leads) continue;
            Part part = Part.Of(_vocabulary, rank, _split.Ranks);
            ReadOnlySpan<float> from = rank == 0 ? LogitsPart(rows) : exchange.Received<float>(rank, 0);
            for (int row = 0; row < rows; row++)
                from.Slice(row * part.Count, part.Count).CopyTo(logits[(row * _vocabulary + part.First)..]);
        }
    }

    public void Dispose() => _slice.Dispose();

    /// <summary>How many values the rows of each rank have, and which are this rank's.</summary>
    private Part Count(int rows, int width)
    {
        for (int rank = 0; rank < _counts.Length; rank++) _counts[rank] = (rows + rank) / _counts.Length * width;
        return OwnRows(rows).Times(width);
    }
}
