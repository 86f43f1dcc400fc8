using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Remembers the ids of short pieces. One slot per hash, the last writer wins: bounded without a list of what to forget. A slot is one
/// cache line, so a piece costs one wait for memory and nothing to collect, and has a count that is odd while it is written: a reader
/// that sees it odd, or changed when it is done, has found nothing.
/// </summary>
internal sealed class WordCache
{
    /// <summary>The most ids of a piece that is kept.</summary>
    public const int MostIds = Width - Head;

    private const int Slots = 1 << 15;
    // A slot: the count; how many characters and ids; characters, two by two; ids.
    private const int Width = 16, Head = 2;
    private readonly int[] _slots = new int[Slots * Width];

    /// <summary>Writes the ids of a piece, if they are remembered, and returns how many there are; else 0.</summary>
    /// <param name="word">The piece.</param>
    /// <param name="ids">At least <see cref="MostIds"/>.</param>
    [MethodImpl(Hot.Path)]
    public int Get(ReadOnlySpan<char> word, Span<int> ids)
    {
        int length = (word.Length + 1) / 2;
        if (length >= MostIds) return 0;
        Span<int> slot = Slot(word);
        int version = Volatile.Read(ref slot[0]), head = slot[1], count = head >> 8;
        if (version % 2 != 0 || (head & 0xFF) != word.Length || count > MostIds - length) return 0;
        if (!MemoryMarshal.Cast<int, char>(slot[Head..])[..word.Length].SequenceEqual(word)) return 0;
        slot.Slice(Head + length, count).CopyTo(ids);
        Volatile.ReadBarrier();
        return slot[0] == version ? count : 0;
    }

    /// <summary>Remembers a piece, in place of another if need be.</summary>
    [MethodImpl(Hot.Path)]
    public void Put(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        int length = (word.Length + 1) / 2;
        if (length + ids.Length > MostIds || ids.IsEmpty) return;
        Span<int> slot = Slot(word);
        int version = slot[0];
        // Another thread is writing here: let it.
        if (version % 2 != 0 || Interlocked.CompareExchange(ref slot[0], version + 1, version) != version) return;
        slot[1] = word.Length | (ids.Length << 8);
        word.CopyTo(MemoryMarshal.Cast<int, char>(slot[Head..]));
        ids.CopyTo(slot[(Head + length)..]);
        Volatile.Write(ref slot[0], unchecked(version + 2));
    }

    private Span<int> Slot(ReadOnlySpan<char> word) =>
        _slots.AsSpan((int)(ByteHash.Of(MemoryMarshal.AsBytes(word)) & (Slots - 1)) * Width, Width);
}
