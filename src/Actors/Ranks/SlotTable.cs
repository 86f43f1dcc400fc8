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
