using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>What a thread works with while it has an item.</summary>
internal unsafe struct AttentionRoom
{
    /// <summary>One <see cref="PartSums"/>.</summary>
    public float* Sums;

    /// <summary>[2, queries] of all parts so far: highest scores, sums of weights.</summary>
    public float* Totals;

    /// <summary>[4, 64] scores of a tile, then weights.</summary>
    public float* Scores;

    /// <summary>A tile of keys in fp32: for each group of 16 positions [D, 16].</summary>
    public float* Keys;

    /// <summary>A tile of values in fp32: [64, Dv].</summary>
    public float* Values;

    /// <summary>[queries] who asks.</summary>
    public AttentionQuery* Asked;
}

/// <summary>A query: where it lies, and the positions that it sees.</summary>
internal unsafe struct AttentionQuery
{
    public float* At;
    public int First, End;
}

/// <summary>As many rooms as threads; a thread that begins takes one that is free.</summary>
internal unsafe struct AttentionRooms
{
    private const int Tile = AttentionTiles<StoredF32>.Tile;

    private readonly int _count;
    private readonly long _sums, _totals, _keys, _values, _asked, _each;
    private int* _taken;
    private float* _first;

    /// <summary>For units of up to so many queries.</summary>
    public AttentionRooms(int count, int queries, KvBlocks kv)
    {
        int all = PartSums.Fours(queries);
        _count = count;
        _sums = Lines(PartSums.Floats(queries, kv.ValueStride));
        _totals = Lines(2L * all);
        _keys = (long)Tile * kv.HeadSize;
        _values = (long)Tile * kv.ValueStride;
        _asked = Lines((long)all * sizeof(AttentionQuery) / sizeof(float));
        _each = _sums + _totals + 4 * Tile + _keys + _values + _asked;
    }

    /// <summary>What they take together.</summary>
    public readonly long Floats => Lines(_count) + _count * _each;

    /// <summary>Room i.</summary>
    public readonly AttentionRoom this[int i]
    {
        get
        {
            float* at = _first + i * _each;
            var room = new AttentionRoom { Sums = at, Totals = at + _sums, Scores = at + _sums + _totals };
            room.Keys = room.Scores + 4 * Tile;
            room.Values = room.Keys + _keys;
            room.Asked = (AttentionQuery*)(room.Values + _values);
            return room;
        }
    }

    /// <summary>Says where they lie.</summary>
    public void Place(float* at)
    {
        _taken = (int*)at;
        new Span<int>(_taken, _count).Clear();
        _first = at + Lines(_count);
    }

    /// <summary>A free one: no more threads than rooms are at work.</summary>
    public readonly int Take()
    {
        for (int i = 0; ; i = (i + 1) % _count)
            if (Interlocked.Exchange(ref _taken[i], 1) == 0) return i;
    }

    /// <summary>Makes it free.</summary>
    public readonly void GiveBack(int i) => Volatile.Write(ref _taken[i], 0);

    private static long Lines(long floats) => (floats + Lanes.Count - 1) / Lanes.Count * Lanes.Count;
}
