using Troupe.Actors.Protocols;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;
using Troupe.Model.Sampling;

namespace Troupe.Actors.Ranks;

/// <summary>
/// The last stage's end of a step: logits of the rows that need them, then a token, a score or a probe. Rows are taken a few at a time, so
/// that the room for logits does not grow with the batch. Of the tensor ranks of a replica the first <paramref name="draws"/>; the others
/// make their part of the same rows' logits, and leave a place for each token that comes of them. <paramref name="enter"/> hears what it
/// does.
/// </summary>
internal sealed class TokenDrawer(ModelShard shard, ModelConfig model, bool draws, Action<StepId, StepActivity> enter) : IDisposable
{
    private const int RowsAtATime = ModelShard.LogitRows;
    private const int TopCount = 8;
    private readonly NativeBuffer _logits = NativeBuffer.OfFloats(draws ? (long)RowsAtATime * model.VocabSize : 0);
    private readonly int[] _rows = new int[RowsAtATime];
    private readonly (Slot Slot, int Id, int Position)[] _wants = new (Slot, int, int)[RowsAtATime];
    private float[] _scratch = [];
    private int _count;

    /// <summary>
    /// Draws for every row that ends what its sequence knows, and scores what is to be scored; decides which tokens are the last of their
    /// sequences. hidden: [T, H].
    /// </summary>
    public void Draw(ReadOnlySpan<SlotWork> work, SlotTable slots, ReadOnlySpan<float> hidden, StepOutcome outcome)
    {
        int row = 0;
        foreach ((int id, int rows) in work)
        {
            Slot slot = slots[id];
            for (int r = 0; r < rows; r++, row++)
            {
                int position = slot.Computed + r;
                if (Wanted(slot, position)) Want(row, slot, id, position, hidden, outcome);
            }
        }
        Flush(hidden, outcome);
        Collect(outcome);
    }

    /// <inheritdoc/>
    public void Dispose() => _logits.Dispose();

    private static bool Wanted(Slot slot, int position) => slot.Join.Mode switch
    {
        SequenceMode.Score => position + 1 < slot.PromptLength,
        SequenceMode.Probe when position < slot.PromptLength => true,
        _ => position + 1 == slot.Known,
    };

    private void Want(int row, Slot slot, int id, int position, ReadOnlySpan<float> hidden, StepOutcome outcome)
    {
        (_rows[_count], _wants[_count]) = (row, (slot, id, position));
        if (++_count == RowsAtATime) Flush(hidden, outcome);
    }

    private void Flush(ReadOnlySpan<float> hidden, StepOutcome outcome)
    {
        if (_count == 0) return;
        int vocabulary = model.VocabSize;
        enter(outcome.Step, StepActivity.Head);
        shard.Logits(hidden, _rows.AsSpan(0, _count), _logits.Floats(draws ? _count * vocabulary : 0));
        enter(outcome.Step, StepActivity.Sample);
        for (int i = 0; i < _count; i++)
        {
            (Slot slot, int id, int position) = _wants[i];
            bool token = slot.Join.Mode != SequenceMode.Score && position + 1 == slot.Known;
            if (!draws)
            {
                if (token) outcome.Tokens[outcome.TokenCount++] = new SlotToken(id, 0, TokenEnd.GoesOn);
                continue;
            }
            Span<float> logits = _logits.Floats(_count * vocabulary).Slice(i * vocabulary, vocabulary);
            if (Sampler.FirstNonFinite(logits) >= 0) throw new NonFiniteLogitsException();
            if (slot.Join.Mode == SequenceMode.Score) Score(slot, id, position, logits, outcome);
            else if (slot.Join.Mode == SequenceMode.Probe && position < slot.PromptLength) Probe(slot, id, position, logits, outcome);
            if (token) outcome.Tokens[outcome.TokenCount++] = Decide(slot, id, Sample(slot, logits));
        }
        _count = 0;
    }

    private SlotToken Decide(Slot slot, int id, int token) => new(id, token,
        !slot.Join.IgnoreEos && IsEndOfText(token) ? TokenEnd.EndOfText
        : slot.Drawn + 1 >= slot.Join.MaxTokens ? TokenEnd.Length : TokenEnd.GoesOn);

    private bool IsEndOfText(int token)
    {
        for (int i = 0; i < model.EosTokenIds.Count; i++)
            if (model.EosTokenIds[i] == token) return true;
        return false;
    }

    private int Sample(Slot slot, Span<float> logits)
    {
        ReadOnlySpan<int> seen = default;
        if (slot.Sampling.RepetitionPenalty != 1)
        {
            seen = slot.Tokens;
            if (_scratch.Length < seen.Length) _scratch = new float[2 * seen.Length];
        }
        return Sampler.Sample(logits, slot.Sampling, slot.Sampling.Seed ?? 0, slot.Known, seen, _scratch);
    }

    private static void Score(Slot slot, int id, int position, ReadOnlySpan<float> logits, StepOutcome outcome) =>
        ScoresOf(outcome, id, position).LogProbs.Add((float)Scoring.LogProbability(logits, slot.Tokens[position + 1]));

    private static void Probe(Slot slot, int id, int position, ReadOnlySpan<float> logits, StepOutcome outcome)
    {
        int count = Math.Min(TopCount, logits.Length);
        Span<int> ids = stackalloc int[TopCount];
        Span<double> logProbs = stackalloc double[TopCount];
        Scoring.Top(logits, ids[..count], logProbs[..count]);
        Gathered scores = ScoresOf(outcome, id, position);
        for (int i = 0; i < count; i++)
        {
            scores.TopIds.Add(ids[i]);
            scores.TopLogProbs.Add((float)logProbs[i]);
        }
        if (position == slot.PromptLength - 1) outcome.Logits.Add((id, logits.ToArray()));
    }

    private static Gathered ScoresOf(StepOutcome outcome, int slot, int position)
    {
        if (outcome.Gathered.LastOrDefault() is { } last && last.Slot == slot) return last;
        var scores = new Gathered(slot, position);
        outcome.Gathered.Add(scores);
        return scores;
    }

    private static void Collect(StepOutcome outcome)
    {
        foreach (Gathered g in outcome.Gathered)
            outcome.Scores.Add(new SlotScores(g.Slot, g.Position, g.LogProbs, g.TopIds, g.TopLogProbs));
    }
}

/// <summary>Scores of a slot while a step is drawn. Only scored and probed requests have any.</summary>
internal sealed record Gathered(int Slot, int Position)
{
    public List<float> LogProbs { get; } = [];

    public List<int> TopIds { get; } = [];

    public List<float> TopLogProbs { get; } = [];
}

/// <summary>
/// Logits that are infinite or NaN: damaged weights in the head or the final norm, or activations too large for their type.
/// </summary>
internal sealed class NonFiniteLogitsException() : Exception("head: the logits are not finite (NaN or infinite); are the weights damaged?");
