namespace Troupe.Cli;

/// <summary>What the program tells its caller.</summary>
internal static class ExitCode
{
    /// <summary>Done what was asked.</summary>
    public const int Done = 0;

    /// <summary>Could not do it, or the check it ran did not pass.</summary>
    public const int Failed = 1;

    /// <summary>The command line itself is wrong.</summary>
    public const int WrongUsage = 2;
}

/// <summary>The command line asks for what cannot be: one line that says what to do.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>An input that cannot be used, or a run that failed, in one line.</summary>
internal sealed class FailedException(string message) : Exception(message);
