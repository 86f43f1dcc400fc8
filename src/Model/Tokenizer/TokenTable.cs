using System.Numerics;
using System.Runtime.CompilerServices;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// The vocabulary: the UTF-8 text of each token and its id, both ways. One array of text and an open hash table, because a quarter of a
/// million small objects would take longer to make than to use.
/// </summary>
internal sealed class TokenTable
{
    private const int Free = -1;
    private byte[] _text;
    private (int Start, int Length, int Id)[] _entries;
    // Hash and entry: the hash tells nearly all others apart without a look at their texts.
    private (uint Hash, int Entry)[] _slots;
    private int[] _entryOf = [];
    private int _used;

    /// <summary>An empty table with room for about so many tokens; it grows beyond.</summary>
    public TokenTable(int expected)
    {
        expected = Math.Max(16, expected);
        _text = new byte[8 * expected];
        _entries = new (int, int, int)[expected];
        _slots = NewSlots((int)BitOperations.RoundUpToPowerOf2((uint)(2 * expected)));
    }

    /// <summary>How many tokens there are.</summary>
    public int Count { get; private set; }

    /// <summary>One more than the highest id.</summary>
    public int Size { get; private set; }

    /// <summary>Adds a token; false if its text is there already.</summary>
    [MethodImpl(Hot.Path)]
    public bool TryAdd(ReadOnlySpan<byte> token, int id)
    {
        uint hash = ByteHash.Of(token);
        int slot = Slot(token, hash);
        if (_slots[slot].Entry != Free) return false;
        if (_used + token.Length > _text.Length) Array.Resize(ref _text, Math.Max(2 * _text.Length, _used + token.Length));
        if (Count == _entries.Length) Array.Resize(ref _entries, 2 * Count);
        token.CopyTo(_text.AsSpan(_used));
        _entries[Count] = (_used, token.Length, id);
        _slots[slot] = (hash, Count++);
        _used += token.Length;
        Size = Math.Max(Size, id + 1);
        if (2 * Count > _slots.Length) Grow();
        return true;
    }

    /// <summary>Makes <see cref="Text"/> work. Returns an id that two tokens have, with both, or null.</summary>
    public (int Id, string One, string Other)? Index()
    {
        _entryOf = new int[Size];
        Array.Fill(_entryOf, Free);
        for (int i = 0; i < Count; i++)
        {
            int id = _entries[i].Id;
            if (_entryOf[id] != Free) return (id, Show(_entryOf[id]), Show(i));
            _entryOf[id] = i;
        }
        return null;
    }

    /// <summary>The id of a token, or -1.</summary>
    [MethodImpl(Hot.Path)]
    public int Find(ReadOnlySpan<byte> token) =>
        _slots[Slot(token, ByteHash.Of(token))].Entry is var entry && entry == Free ? -1 : _entries[entry].Id;

    /// <summary>Whether a token has the id.</summary>
    public bool Has(int id) => (uint)id < (uint)_entryOf.Length && _entryOf[id] != Free;

    /// <summary>The text of an id that <see cref="Has"/> knows.</summary>
    public ReadOnlySpan<byte> Text(int id) => Of(_entryOf[id]);

    private ReadOnlySpan<byte> Of(int entry) => _text.AsSpan(_entries[entry].Start, _entries[entry].Length);

    private string Show(int entry) => System.Text.Encoding.UTF8.GetString(Of(entry));

    [MethodImpl(Hot.Path)]
    private int Slot(ReadOnlySpan<byte> token, uint hash)
    {
        int mask = _slots.Length - 1, slot = (int)hash & mask;
        while (_slots[slot] is var (other, entry) && entry != Free && (other != hash || !Of(entry).SequenceEqual(token)))
            slot = (slot + 1) & mask;
        return slot;
    }

    [MethodImpl(Hot.Path)]
    private void Grow()
    {
        (uint Hash, int Entry)[] old = _slots;
        _slots = NewSlots(2 * old.Length);
        int mask = _slots.Length - 1;
        foreach ((uint hash, int entry) in old)
        {
            if (entry == Free) continue;
            int slot = (int)hash & mask;
            while (_slots[slot].Entry != Free) slot = (slot + 1) & mask;
            _slots[slot] = (hash, entry);
        }
    }

    private static (uint, int)[] NewSlots(int count)
    {
        var slots = new (uint, int)[count];
        Array.Fill(slots, (0u, Free));
        return slots;
    }
}
