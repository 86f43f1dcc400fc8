using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.All2All;

/// <summary>
/// What a dispatch brought to this rank: N rows, in tiles that become readable one after the other (most strategies have one). Rows and
/// the places of their partial sums are addressed one by one, because they lie where they arrived: in this rank's window, in a peer's, or
/// in the caller's own memory. Single use: Combine consumes it. The object is reused from dispatch to dispatch; the step's path allocates
/// nothing.
/// </summary>
public sealed unsafe class DispatchHandle
{
    private readonly ITiles? _tiles;
    private readonly byte*[] _rows, _partials;
    private readonly int*[] _slots; // [count, then K ids, then K weights]
    private readonly int _topK;
    private int _ready, _streamedFrom;

    internal DispatchHandle(ITiles? tiles, int maxRows, All2AllShape shape)
    {
        (_tiles, _topK, Hidden, Type) = (tiles, shape.TopK, shape.Hidden, shape.Rows);
        (_rows, _partials, _slots) = (new byte*[maxRows], new byte*[maxRows], new int*[maxRows]);
    }

    /// <summary>Rows that arrive here, this rank's own included (N).</summary>
    public int Rows { get; private set; }

    /// <summary>Values of a row (H).</summary>
    public int Hidden { get; }

    /// <summary>How rows are encoded.</summary>
    public RowType Type { get; }

    /// <summary>How partial sums are encoded.</summary>
    public RowType PartialType => Type.Partial();

    /// <summary>Whether a dispatch is waiting for its combine.</summary>
    public bool Pending { get; private set; }

    /// <summary>What the headers of all ranks came to.</summary>
    public StepVerdict Verdict { get; private set; }

    /// <summary>Waits until row <paramref name="row"/> is readable.</summary>
    /// <returns>How many rows are readable now, more than <paramref name="row"/>.</returns>
    public int Await(int row)
    {
        if (row >= _ready) _ready = _tiles!.Arrived(row);
        return _ready;
    }

    /// <summary>Says that the partial sums of the rows before <paramref name="end"/> are written; they may travel now.</summary>
    public void Done(int end) => _tiles?.Finished(end);

    /// <summary>Whether a row's partial sum is read next by another core: best written with <see cref="Streamed"/>, as
    /// <see cref="Encode"/> does.</summary>
    public bool IsStreamed(int row) => row >= _streamedFrom;

    /// <summary>A row in its wire type; <see cref="Await"/> first.</summary>
    public byte* Row(int row) => _rows[row];

    /// <summary>Where the row's partial sum goes, in its wire type.</summary>
    public byte* Partial(int row) => _partials[row];

    /// <summary>The row's experts: ids of the whole model with their weights. Those that live elsewhere, or are -1, are to be
    /// skipped.</summary>
    public int Slots(int row, out int* experts, out float* weights)
    {
        int* slots = _slots[row];
        experts = slots + 1;
        weights = (float*)(slots + 1 + _topK);
        return slots[0];
    }

    /// <summary>Rows [first, end) as fp32, [end - first, H].</summary>
    public void Decode(int first, int end, Span<float> to)
    {
        if (to.Length < (long)(end - first) * Hidden)
            throw new ArgumentException($"{end - first} rows need {(end - first) * Hidden} values, got {to.Length}", nameof(to));
        fixed (float* values = to)
            for (int row = first; row < end; row++) RowCodec.Decode(Type, _rows[row], values + (long)(row - first) * Hidden, Hidden);
    }

    /// <summary>The choices of rows [first, end), [end - first, K] each, padded with -1.</summary>
    public void CopySlots(int first, int end, Span<int> experts, Span<float> weights)
    {
        for (int row = first; row < end; row++)
        {
            int count = Slots(row, out int* ids, out float* shares), at = (row - first) * _topK;
            for (int k = 0; k < _topK; k++)
                (experts[at + k], weights[at + k]) = k < count ? (ids[k], shares[k]) : (-1, 0);
        }
    }

    /// <summary>Writes partial sums of rows [first, end) where they go, rounded to their wire type. partial: [end - first, H].</summary>
    public void Encode(int first, int end, ReadOnlySpan<float> partial)
    {
        if (partial.Length < (long)(end - first) * Hidden)
            throw new ArgumentException($"{end - first} rows need {(end - first) * Hidden} values, got {partial.Length}", nameof(partial));
        fixed (float* values = partial)
            for (int row = first; row < end; row++)
                RowCodec.Encode(PartialType, values + (long)(row - first) * Hidden, _partials[row], Hidden, IsStreamed(row));
    }

    internal void Open()
    {
        if (Pending) throw new InvalidOperationException("the last dispatch was not combined: each Dispatch needs its Combine");
        (Rows, _ready, Pending) = (0, 0, true);
    }

    internal void Add(byte* row, int* slots, byte* partial)
    {
        _rows[Rows] = row;
        _slots[Rows] = slots;
        _partials[Rows] = partial;
        Rows++;
    }

    /// <summary>Adds all rows of another handle, where they are.</summary>
    internal void Add(DispatchHandle other)
    {
        for (int row = 0; row < other.Rows; row++) Add(other._rows[row], other._slots[row], other._partials[row]);
    }

    /// <summary>All rows are added: so many of them are readable, and the partial sums of those from a row on are read by peers where they
    /// are written.</summary>
    internal void Settle(int ready, int streamedFrom, StepVerdict verdict) =>
        (_ready, _streamedFrom, Verdict) = (ready, streamedFrom, verdict);

    internal void Consume()
    {
        if (!Pending) throw new InvalidOperationException("this dispatch was already combined: a handle is single use");
        Pending = false;
    }
}

/// <summary>A strategy whose rows arrive, and whose partial sums leave, piece by piece.</summary>
internal interface ITiles
{
    /// <summary>Waits for a row.</summary>
    /// <returns>How many rows are readable.</returns>
    int Arrived(int row);

    /// <summary>The partial sums of the rows before this are written.</summary>
    void Finished(int end);
}
