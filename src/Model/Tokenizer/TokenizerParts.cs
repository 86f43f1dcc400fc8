namespace Troupe.Model.Tokenizer;

/// <summary>A token that is found in the text itself, before anything else looks at it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">What stands in the text.</param>
/// <param name="Special">Whether decoding may leave it out.</param>
/// <param name="Normalized">Whether it is looked for in the normalized text, not in the raw one.</param>
internal sealed record AddedToken(int Id, string Text, bool Special, bool Normalized)
{
    /// <summary>Whether it counts only where no word goes on before or behind it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Whether it takes in the white space before it.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>Whether it takes in the white space behind it.</summary>
    public bool StripsRight { get; init; }
}

/// <summary>What a tokenizer.json says, checked.</summary>
internal sealed record TokenizerParts
{
    /// <summary>What is done to the text first.</summary>
    public required TextNormalizer Normalizer { get; init; }
    /// <summary>How the text is cut into pieces.</summary>
    public required PreTokenizer PreTokenizer { get; init; }
    /// <summary>Tokens and merges.</summary>
    public required BpeModel Model { get; init; }
    /// <summary>The symbols that a piece begins as.</summary>
    public required ISymbols Symbols { get; init; }
    /// <summary>Added tokens.</summary>
    public required IReadOnlyList<AddedToken> Added { get; init; }
    /// <summary>The text of each id.</summary>
    public required TokenTexts Texts { get; init; }
    /// <summary>Ids set before a text when special tokens are asked for.</summary>
    public required int[] Before { get; init; }
    /// <summary>Ids set behind it.</summary>
    public required int[] After { get; init; }
}

/// <summary>The "model" of a tokenizer.json: byte-pair encoding.</summary>
/// <param name="Vocabulary">The tokens.</param>
/// <param name="Merges">The merges, the lowest rank first: ids of the two parts and of what they become.</param>
/// <param name="WholePieces">Whether a piece that is a token is that token, whatever the merges say.</param>
/// <param name="ByteFallback">Whether a character without a token is spelled by the tokens of its bytes.</param>
/// <param name="Unknown">The id that stands for a character without a token, or null: it is left out.</param>
/// <param name="FuseUnknown">Whether one such id stands for several of them in a row.</param>
internal sealed record BpeModel(TokenTable Vocabulary, IReadOnlyList<(int Left, int Right, int Merged)> Merges,
    bool WholePieces, bool ByteFallback, int? Unknown, bool FuseUnknown);
