namespace Troupe.Model.Tokenizer;

/// <summary>A token that is found in the text itself, before anything else looks at it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">What stands in the text.</param>
/// <param name="Special">Whether decoding may leave it out.</param>
/// <param name="Normalized">Whether it is looked for in the normalized text, not in the raw one.</param>
internal sealed record AddedToken(int Id, string Text, bool Special, bool Normalized);

/// <summary>What a tokenizer.json says, checked.</summary>
internal sealed record TokenizerParts
{
    /// <summary>Whether the text is brought to NFC first.</summary>
    public required bool Nfc { get; init; }
    /// <summary>How the text is cut into pieces.</summary>
    public required PreTokenizerKind PreTokenizer { get; init; }
    /// <summary>Tokens by id, as the vocabulary spells them; null where an id is not used.</summary>
    public required string?[] Tokens { get; init; }
    /// <summary>The id of each single byte.</summary>
    public required int[] ByteIds { get; init; }
    /// <summary>The merges in the order of their ranks.</summary>
    public required BytePairMerges Merges { get; init; }
    /// <summary>Ids of whole pieces that are looked up before merging, or null if merging always runs.</summary>
    public required IReadOnlyDictionary<string, int>? WholePieces { get; init; }
    /// <summary>Added tokens.</summary>
    public required IReadOnlyList<AddedToken> Added { get; init; }
    /// <summary>Ids set before a text when special tokens are asked for.</summary>
    public required int[] Before { get; init; }
    /// <summary>Ids set behind it.</summary>
    public required int[] After { get; init; }
}
