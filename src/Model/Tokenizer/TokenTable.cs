namespace Troupe.Model.Tokenizer;

/// <summary>
/// The vocabulary: the UTF-8 text of each token and its id, both ways. One array of text and an open hash table, because a quarter of a
/// million small objects would take longer to make than to use.
/// </summary>
internal sealed class TokenTable
{
    private const int Free = -1;
    private byte[] _text = new byte[256];
    private (int Start, int Length, int Id)[] _entries = new (int, int, int)[16];
    private int[] _slots = NewSlots(64);
    private int[] _entryOf = [];
    private int _used;

    /// <summary>How many tokens there are.</summary>
    public int Count { get; private set; }

    /// <summary>One more than the highest id.</summary>
    public int Size { get; private set; }

    /// <summary>Adds a token; false if its text is there already.</summary>
    public bool TryAdd(ReadOnlySpan<byte> token, int id)
    {
        int slot = Slot(token);
        if (_slots[slot] != Free) return false;
        if (_used + token.Length > _text.Length) Array.Resize(ref _text, Math.Max(2 * _text.Length, _used + token.Length));
        if (Count == _entries.Length) Array.Resize(ref _entries, 2 * Count);
        token.CopyTo(_text.AsSpan(_used));
        _entries[Count] = (_used, token.Length, id);
        _slots[slot] = Count++;
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
    public int Find(ReadOnlySpan<byte> token) => _slots[Slot(token)] is var entry && entry == Free ? -1 : _entries[entry].Id;

    /// <summary>Whether a token has the id.</summary>
    public bool Has(int id) => (uint)id < (uint)_entryOf.Length && _entryOf[id] != Free;

    /// <summary>The text of an id that <see cref="Has"/> knows.</summary>
    public ReadOnlySpan<byte> Text(int id) => Of(_entryOf[id]);

    private ReadOnlySpan<byte> Of(int entry) => _text.AsSpan(_entries[entry].Start, _entries[entry].Length);

    private string Show(int entry) => System.Text.Encoding.UTF8.GetString(Of(entry));

    private int Slot(ReadOnlySpan<byte> token)
    {
        int slot = (int)(ByteHash.Of(token) & (uint)(_slots.Length - 1));
        while (_slots[slot] is var entry && entry != Free && !Of(entry).SequenceEqual(token)) slot = (slot + 1) & (_slots.Length - 1);
        return slot;
    }

    private void Grow()
    {
        _slots = NewSlots(2 * _slots.Length);
        for (int i = 0; i < Count; i++) _slots[Slot(Of(i))] = i;
    }

    private static int[] NewSlots(int count)
    {
        int[] slots = new int[count];
        Array.Fill(slots, Free);
        return slots;
    }
}
