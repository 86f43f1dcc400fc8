namespace Troupe.Model.Chat;

/// <summary>Something in a template or its arguments that cannot be; becomes one line for the user, with the template's line.</summary>
internal sealed class TemplateFault : Exception
{
    /// <summary>A fault at the line that is being run.</summary>
    public TemplateFault(string message) : base(message) { }

    /// <summary>A fault at a line of the template, from 1.</summary>
    public TemplateFault(string message, int line) : base(message) => Line = line;

    /// <summary>The line, or 0 where the fault does not know it.</summary>
    public int Line { get; }
}
