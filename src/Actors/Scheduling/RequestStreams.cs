using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Scheduling;

/// <summary>
/// What clients hear of their requests: tokens and text as steps end, scores, and the end with its times. Decides when a request is done:
/// end-of-text token, stop text, enough tokens.
/// </summary>
public sealed class RequestStreams(Epoch epoch, TimeProvider clock, Action<Sequence, string> end)
{
    private readonly Dictionary<Sequence, RequestText> _texts = [];

    /// <summary>Requests that have ended.</summary>
    public long Finished { get; private set; }

    /// <summary>Starts a request's stream.</summary>
    public void Open(Sequence sequence, RequestText text) => _texts[sequence] = text;

    /// <summary>Passes a step's tokens and scores on. Tokens of requests that are ending are thrown away.</summary>
    public void Take(StepResult result, BatchState batch)
    {
        foreach (SlotScores scores in result.Scores)
        {
            if (batch.At(scores.Slot) is not { Ending: null } sequence) continue;
            sequence.Client.Tell(new ScoreChunk(epoch, result.Step, sequence.Request.Id, scores));
        }
        // The last token of a prompt has no score, so the step that ends the prompt may bring none.
        while (batch.Scored(result.Lane) is { } whole) Finish(whole, result.Step, "scored");
        foreach (SlotToken drawn in result.Tokens)
        {
            if (batch.At(drawn.Slot) is { Ending: null } sequence) OnToken(sequence, result.Step, drawn);
        }
    }

    /// <summary>Passes a slice of logits on.</summary>
    public void Forward(Sequence sequence, LogitsSlice slice) =>
        sequence.Client.Tell(new LogitsChunk(epoch, slice.Step, sequence.Request.Id, slice.Offset, slice.Values));

    /// <summary>Ends a request's stream; its times are up to now.</summary>
    public void Close(Sequence sequence, StepId step, string reason, string error)
    {
        if (!_texts.Remove(sequence)) return;
        Finished++;
        (long queued, long admitted, long first) = sequence.Times;
        long now = clock.GetTimestamp();
        double Ms(long from, long to) => from == 0 ? 0 : clock.GetElapsedTime(from, to == 0 ? now : to).TotalMilliseconds;
        sequence.Client.Tell(new RequestEnded(epoch, step, sequence.Request.Id, reason, error,
            Ms(queued, admitted), Ms(admitted, first), Ms(first, 0), sequence.Generated.Count));
    }

    private void OnToken(Sequence sequence, StepId step, SlotToken drawn)
    {
        if (sequence.Times.FirstToken == 0) sequence.Times = sequence.Times with { FirstToken = clock.GetTimestamp() };
        RequestText text = _texts[sequence];
        (_, int token, TokenEnd last) = drawn;
        bool eos = last == TokenEnd.EndOfText;
        string piece = "";
        if (!eos)
        {
            sequence.Generated.Add(token);
            piece = text.Append(token);
        }
        string? reason = eos || text.Stopped ? "stop" : last == TokenEnd.Length ? "length" : null;
        if (reason is not null) piece += text.Flush();
        if (!eos || piece.Length > 0)
            sequence.Client.Tell(new TokenChunk(epoch, step, sequence.Request.Id, eos ? [] : [token], piece));
        if (reason is not null) Finish(sequence, step, reason);
    }

    private void Finish(Sequence sequence, StepId step, string reason)
    {
        Close(sequence, step, reason, "");
        end(sequence, reason);
    }
}
