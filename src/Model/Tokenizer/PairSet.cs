using System.Numerics;

namespace Troupe.Model.Tokenizer;

/// <summary>A set of pairs of code points that is asked at every character: an open hash table.</summary>
internal sealed class PairSet
{
    private const ulong Free = ulong.MaxValue;
    private readonly ulong[] _slots;

    /// <summary>The set of these pairs; duplicates are fine.</summary>
    public PairSet(IReadOnlyCollection<(int First, int Second)> pairs)
    {
        _slots = new ulong[BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2 * pairs.Count))];
        Array.Fill(_slots, Free);
        foreach ((int first, int second) in pairs) _slots[Slot(Key(first, second))] = Key(first, second);
    }

    /// <summary>Whether the pair is in the set.</summary>
    public bool Contains(int first, int second) => _slots[Slot(Key(first, second))] != Free;

    private int Slot(ulong key)
    {
        int mask = _slots.Length - 1, slot = (int)((key * 0x9E3779B97F4A7C15) >> 33) & mask;
        while (_slots[slot] != Free && _slots[slot] != key) slot = (slot + 1) & mask;
        return slot;
    }

    private static ulong Key(int first, int second) => ((ulong)(uint)first << 32) | (uint)second;
}
