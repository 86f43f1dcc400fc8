using Troupe.Model.Tokenizer;

namespace Troupe.Actors.Scheduling;

/// <summary>The text side of one request: decodes tokens as they come and watches for stop texts.</summary>
public sealed class RequestText(BpeTokenizer? tokenizer, IReadOnlyCollection<string> stops)
{
    private readonly StreamingDecoder? _decoder = tokenizer is null ? null : new StreamingDecoder(tokenizer);
    private readonly StopStrings _stops = new(stops);

    /// <summary>Whether a stop text has come.</summary>
    public bool Stopped => _stops.Stopped;

    /// <summary>The text that is certain after one more token. A model without a tokenizer has ids only.</summary>
    public string Append(int id) => _decoder is null ? "" : _stops.Append(_decoder.Append(id));

    /// <summary>What was held back, at the end.</summary>
    public string Flush() => _decoder is null || Stopped ? "" : _stops.Append(_decoder.Flush()) + _stops.Flush();
}
