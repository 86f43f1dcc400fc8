using Troupe.Devices.Tensors;
using Troupe.Model.Cache;

namespace Troupe.Model.Layers;

/// <summary>
/// The rows of one micro-batch: for each the token, its position in the sequence, and the sequence's slot in the block table. Reused from
/// step to step; filling allocates nothing. Rows of one sequence stand in the order of their positions.
/// </summary>
public sealed class StepRows
{
    private readonly BlockTable _table;
    private readonly int[] _tokens, _positions, _slots;

    /// <summary>Room for some rows over a table of blocks.</summary>
    public StepRows(int maxRows, BlockTable table)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRows, 1);
        _table = table;
        (_tokens, _positions, _slots) = (new int[maxRows], new int[maxRows], new int[maxRows]);
    }

    /// <summary>The most rows.</summary>
    public int MaxRows => _tokens.Length;

    /// <summary>T: rows of this step.</summary>
    public int Count { get; private set; }

    /// <summary>[T] token ids; only the first stage looks at them.</summary>
    public ReadOnlySpan<int> TokenIds => _tokens.AsSpan(0, Count);

    /// <summary>[T] positions, from 0.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Count);

    /// <summary>[T] slots in the block table.</summary>
    public ReadOnlySpan<int> Slots => _slots.AsSpan(0, Count);

    internal KvRows Kv => new() { Positions = Positions, Slots = Slots, Blocks = _table.All, BlocksPerSlot = _table.BlocksPerSlot };

    internal BlockTable Table => _table;

    /// <summary>No rows.</summary>
    public void Clear() => Count = 0;

    /// <summary>One more row.</summary>
    /// <exception cref="ArgumentException">No room, or a position beyond the blocks that the sequence has.</exception>
    public void Add(int token, int position, int slot)
    {
        if (Count == MaxRows) throw new ArgumentException($"a step has at most {MaxRows} rows");
        if ((uint)slot >= (uint)_table.Slots) throw new ArgumentException($"slot must be in [0, {_table.Slots}), got {slot}");
        if ((uint)position >= (uint)_table.Capacity(slot))
            throw new ArgumentException($"position must be in [0, {_table.Capacity(slot)}), the blocks of slot {slot}; got {position}");
        (_tokens[Count], _positions[Count], _slots[Count]) = (token, position, slot);
        Count++;
    }
}
