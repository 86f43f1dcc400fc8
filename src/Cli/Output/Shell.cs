using System.Text;

namespace Troupe.Cli.Output;

/// <summary>What surrounds a verb: its streams, who reads them, and the clock. Tests make one around writers of their own.</summary>
internal sealed record Shell
{
    /// <summary>Results go here, and with <c>--json</c> nothing else does.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Errors, logs and progress go here.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Opens the standard input as bytes.</summary>
    public required Func<Stream> OpenInput { get; init; }

    /// <summary>Whether somebody types the input.</summary>
    public bool InputIsTerminal { get; init; }

    /// <summary>Whether a person reads the results.</summary>
    public bool OutIsTerminal { get; init; }

    /// <summary>Whether a person reads errors and progress.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Whether colours may be used where a person reads: NO_COLOR turns them off.</summary>
    public bool Color { get; init; }

    /// <summary>Columns of the terminal.</summary>
    public int Width { get; init; } = 100;

    /// <summary>The clock of every wait and measurement.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The shell of this process. Text is UTF-8 whatever the locale says.</summary>
    public static Shell OfThisProcess()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        bool dumb = Environment.GetEnvironmentVariable("TERM") is "dumb";
        bool noColor = Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };
        return new Shell
        {
            Out = new StreamWriter(Console.OpenStandardOutput(), utf8) { AutoFlush = true },
            Error = TextWriter.Synchronized(new StreamWriter(Console.OpenStandardError(), utf8) { AutoFlush = true }),
            OpenInput = Console.OpenStandardInput,
            InputIsTerminal = !Console.IsInputRedirected,
            OutIsTerminal = !Console.IsOutputRedirected && !dumb,
            ErrorIsTerminal = !Console.IsErrorRedirected && !dumb,
            Color = !noColor,
            Width = Columns(),
        };
    }

    private static int Columns()
    {
        if (Console.IsOutputRedirected) return 100;
        try
        {
            return Math.Clamp(Console.WindowWidth, 40, 200);
        }
        catch (IOException)
        {
            return 100; // Some terminals do not say.
        }
    }
}
