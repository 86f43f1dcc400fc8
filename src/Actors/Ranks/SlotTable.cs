using Troupe.Actors.Protocols;
using Troupe.Model.Sampling;

namespace Troupe.Actors.Ranks;

/// <summary>A sequence as a rank knows it: its tokens so far, and how far its KV is computed.</summary>
public sealed class Slot
{
    private readonly int[] _tokens;

    /// <summary>A sequence that has just joined.</summary>
    public Slot(SlotJoin join, int blockSize)
    {
        Join = join;
        Blocks = [.. join.Blocks];
        _tokens = new int[Math.Max(join.Ids.Count, Blocks.Length * blockSize + 1)];
        for (int i = 0; i < join.Ids.Count; i++) _tokens[i] = join.Ids[i];
        Known = join.Ids.Count;
        SamplingSpec s = join.Sampling;
        Sampling = new SamplingParameters
        {
            Temperature = s.Temperature, TopK = s.TopK, TopP = s.TopP, MinP = s.MinP, RepetitionPenalty = s.RepetitionPenalty,
                Seed = s.Seed,
        };
    }

    /// <summary>What the scheduler said.</summary>
    public SlotJoin Join { get; }

    /// <summary>Its KV blocks, in the order of positions.</summary>
    public int[] Blocks { get; }

    /// <summary>How its tokens are drawn.</summary>
    public SamplingParameters Sampling { get; }

    /// <summary>Tokens known: prompt and drawn. Middle stages do not learn of drawn ones; they only need <see cref="Computed"/>.</summary>
    public int Known { get; private set; }

    /// <summary>Positions whose KV is computed.</summary>
    public int Computed { get; set; }

    /// <summary>Whether it brings no more rows, whoever decided so.</summary>
    public bool Ended { get; set; }

    /// <summary>Whether it had rows in the planned step of its lane that carried the newest lease: these go on under it.</summary>
    public bool Lent { get; set; }

    /// <summary>Whether the lease calls for its next row.</summary>
    public bool GoesOn => Lent && !Ended;

    /// <summary>Tokens drawn.</summary>
    public int Drawn => Known - PromptLength;

    /// <summary>Tokens of the prompt.</summary>
    public int PromptLength => Join.Ids.Count;

    /// <summary>The known tokens.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Known);

    /// <summary>The token at a position; 0 where this stage was never told.</summary>
    public int TokenAt(int position) => position < Known ? _tokens[position] : 0;

    /// <summary>Adds a drawn token.</summary>
    public void Append(int token)
    {
        if (Known < _tokens.Length) _tokens[Known++] = token;
    }
}

/// <summary>The sequences of this rank's replica, by slot. Changed only by the batches that the scheduler sends.</summary>
public sealed class SlotTable(int slots, int blockSize)
{
    private readonly Slot?[] _slots = new Slot?[slots];

    /// <summary>The sequence in a slot.</summary>
    /// <exception cref="InvalidOperationException">The slot is empty: scheduler and rank disagree.</exception>
    public Slot this[int slot] => (uint)slot < (uint)_slots.Length && _slots[slot] is { } held
        ? held
        : throw new InvalidOperationException(
            $"slot {slot} is not in use on this rank (slots are [0, {_slots.Length})): the scheduler's batch does not fit");

    /// <summary>Whether a slot is in use.</summary>
    public bool Holds(int slot) => (uint)slot < (uint)_slots.Length && _slots[slot] is not null;

    /// <summary>Empties all slots.</summary>
    public void Clear() => Array.Clear(_slots);

    /// <summary>The slots that go on under a lease are those with rows in its planned step; any other may long be given up.</summary>
    public void Lend(int from, int count, BatchDelta? batch)
    {
        for (int slot = from; slot < from + count; slot++)
            if (_slots[slot] is { } held) held.Lent = false;
        for (int i = 0; i < (batch?.Work.Count ?? 0); i++) this[batch!.Work[i].Slot].Lent = true;
    }

    /// <summary>Applies joins and leaves. A join into a slot in use replaces what was there.</summary>
    public void Apply(BatchDelta delta)
    {
        for (int i = 0; i < delta.Leaves.Count; i++)
            if ((uint)delta.Leaves[i] < (uint)_slots.Length) _slots[delta.Leaves[i]] = null;
        for (int i = 0; i < delta.Joins.Count; i++)
        {
            SlotJoin join = delta.Joins[i];
            if ((uint)join.Slot >= (uint)_slots.Length)
                throw new InvalidOperationException($"slot must be in [0, {_slots.Length}), got {join.Slot}");
            _slots[join.Slot] = new Slot(join, blockSize);
        }
    }
}
