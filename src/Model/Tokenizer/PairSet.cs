using System.Numerics;
using System.Runtime.CompilerServices;

namespace Troupe.Model.Tokenizer;

/// <summary>A set of pairs of code points that is asked at every character: an open hash table.</summary>
internal sealed class PairSet
{
    private const ulong Free = ulong.MaxValue;
    // A bit for each pair of ASCII, two words of 64 for each first one: most pairs of most texts.
    private readonly ulong[] _ascii = new ulong[256];
    private readonly ulong[] _slots;

    /// <summary>The set of these pairs; duplicates are fine.</summary>
    public PairSet(IReadOnlyCollection<(int First, int Second)> pairs)
    {
        _slots = new ulong[BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2 * pairs.Count))];
        Array.Fill(_slots, Free);
        foreach ((int first, int second) in pairs)
        {
            _slots[Slot(Key(first, second))] = Key(first, second);
            if ((first | second) < 128) _ascii[2 * first + second / 64] |= 1UL << second;
        }
    }

    /// <summary>Whether the pair is in the set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(int first, int second) => (uint)(first | second) < 128
        ? (_ascii[2 * first + second / 64] >> second & 1) != 0
        : _slots[Slot(Key(first, second))] != Free;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Slot(ulong key)
    {
        int mask = _slots.Length - 1, slot = (int)((key * 0x9E3779B97F4A7C15) >> 33) & mask;
        while (_slots[slot] != Free && _slots[slot] != key) slot = (slot + 1) & mask;
        return slot;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Key(int first, int second) => ((ulong)(uint)first << 32) | (uint)second;
}
