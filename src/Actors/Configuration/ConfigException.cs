namespace Troupe.Actors.Configuration;

/// <summary>
/// A configuration that we refuse. The message is one line for the person who wrote it: where, which key, what was got and what is wanted.
/// </summary>
public sealed class ConfigException : Exception
{
    /// <summary>A problem in one line.</summary>
    public ConfigException(string message) : base(message)
    {
    }

    /// <summary>A problem in one line, and the parser's own words about it.</summary>
    public ConfigException(string message, Exception cause) : base(message, cause)
    {
    }

    /// <summary>A text that does not read as HOCON.</summary>
    public static ConfigException At(string source, int line, string problem) => new($"{source}:{line}: {problem}");

    /// <summary>A key whose value is not what it must be.</summary>
    /// <param name="where">The file and line, or what else the value came from.</param>
    /// <param name="key">The full key.</param>
    /// <param name="got">The value as written.</param>
    /// <param name="wanted">What would be accepted, as "a whole number of at least 1".</param>
    public static ConfigException Value(string where, string key, string got, string wanted) =>
        new($"{where}: {key} wants {wanted}, got {got}");
}
