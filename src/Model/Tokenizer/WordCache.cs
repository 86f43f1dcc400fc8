namespace Troupe.Model.Tokenizer;

/// <summary>
/// Remembers the ids of short pieces. One slot per hash, the last writer wins: bounded without a list of what to forget, and safe to
/// share between threads because an entry never changes.
/// </summary>
internal sealed class WordCache
{
    private const int Slots = 1 << 15;
    /// <summary>Longer pieces come too seldom to be kept.</summary>
    private const int MaxWordLength = 32;

    private readonly Entry?[] _entries = new Entry?[Slots];

    /// <summary>The ids of a piece, if they are remembered.</summary>
    public bool TryGet(ReadOnlySpan<char> word, out ReadOnlySpan<int> ids)
    {
        Entry? entry = word.Length <= MaxWordLength ? Volatile.Read(ref _entries[Slot(word)]) : null;
        bool found = entry is not null && word.SequenceEqual(entry.Word);
        ids = found ? entry!.Ids : default;
        return found;
    }

    /// <summary>Remembers a piece, in place of another if need be.</summary>
    public void Put(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        if (word.Length <= MaxWordLength) Volatile.Write(ref _entries[Slot(word)], new Entry(word.ToString(), ids.ToArray()));
    }

    private static int Slot(ReadOnlySpan<char> word) => string.GetHashCode(word, StringComparison.Ordinal) & (Slots - 1);

    private sealed record Entry(string Word, int[] Ids);
}
