namespace Troupe.Model.Chat;

/// <summary>What kind of token it is.</summary>
internal enum TokenKind
{
    /// <summary>Text that is written as it is.</summary>
    Data,

    /// <summary>The beginning of an expression that is written.</summary>
    OutputBegin,

    /// <summary>Its end.</summary>
    OutputEnd,

    /// <summary>The beginning of a statement.</summary>
    BlockBegin,

    /// <summary>Its end.</summary>
    BlockEnd,

    /// <summary>A name or keyword.</summary>
    Name,

    /// <summary>A string, its escapes resolved.</summary>
    Text,

    /// <summary>A number.</summary>
    Number,

    /// <summary>An operator or bracket.</summary>
    Sign,

    /// <summary>Behind the last token.</summary>
    End,
}

/// <summary>A token of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text; of a string, the value.</param>
/// <param name="Line">Where it begins, from 1.</param>
/// <param name="Value">The value of a number: long or double.</param>
internal readonly record struct TemplateToken(TokenKind Kind, string Text, int Line, object? Value = null);
