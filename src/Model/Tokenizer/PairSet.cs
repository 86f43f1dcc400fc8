using System.Runtime.CompilerServices;

namespace Troupe.Model.Tokenizer;

/// <summary>A set of pairs of code points that is asked at every character: an open hash table.</summary>
internal sealed class PairSet
{
    private const ulong Free = ulong.MaxValue;
    // A bit for each pair of ASCII, two words of 64 for each first one: most pairs of most texts.
    private readonly ulong[] _ascii = new ulong[256];
    private ulong[] _slots = NewSlots(1 << 10);
    private int _count;

    /// <summary>Adds a pair that may be there already.</summary>
    [MethodImpl(Hot.Path)]
    public void Add(int first, int second)
    {
        int slot = Slot(Key(first, second));
        if (_slots[slot] != Free) return;
        _slots[slot] = Key(first, second);
        if ((uint)(first | second) < 128) _ascii[2 * first + second / 64] |= 1UL << second;
        if (2 * ++_count > _slots.Length) Grow();
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

    private void Grow()
    {
        ulong[] old = _slots;
        _slots = NewSlots(2 * old.Length);
        foreach (ulong key in old)
            if (key != Free) _slots[Slot(key)] = key;
    }

    private static ulong[] NewSlots(int count)
    {
        ulong[] slots = new ulong[count];
        Array.Fill(slots, Free);
        return slots;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Key(int first, int second) => ((ulong)(uint)first << 32) | (uint)second;
}
