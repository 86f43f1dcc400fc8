using System.CommandLine;
using System.CommandLine.Help;
using System.Net.Sockets;
using System.Reflection;
using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Cli.Output;
using Troupe.Devices.Fabric;
using Troupe.Model.Checkpoints;

namespace Troupe.Cli;

/// <summary>From arguments to an exit code. What is expected to go wrong ends as one line on stderr.</summary>
internal static class CommandLine
{
    private const int NoSpace = 28; // ENOSPC of Linux: what .NET puts into HResult there.

    /// <summary>
    /// Parses, runs the verb, and turns errors into lines. <paramref name="stop"/> asks a running verb to end in good order.
    /// </summary>
    public static async Task<int> RunAsync(string[] args, Shell shell, CancellationToken stop)
    {
        var help = new HelpText(shell.Width);
        RootCommand root = Verbs.Tree.Create(shell);
        foreach (Option option in root.Options)
        {
            if (option is HelpOption)
            {
                option.Action = help;
                option.Aliases.Clear(); // Of -h, -?, /h and /? only the first cannot be a prompt.
                option.Aliases.Add("-h");
            }
            if (option is VersionOption) option.Action = new VersionText();
        }
        try
        {
            return await ParseAndRunAsync(root, help, args, shell, stop);
        }
        catch (Exception e)
        {
            return Report(e, args, shell, stop.IsCancellationRequested);
        }
    }

    private static async Task<int> ParseAndRunAsync(RootCommand root, HelpText help, string[] args, Shell shell, CancellationToken stop)
    {
        if (args.Length == 0)
        {
            help.Write(root, shell.Error);
            return ExitCode.WrongUsage;
        }
        // A prompt may start with '@': no response files.
        ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        if (parsed.Action is not (HelpText or VersionText) && ParseProblem.Of(parsed, root) is { } problem)
            throw new UsageException(problem);
        var invocation = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
            Output = shell.Out,
            Error = shell.Error,
        };
        return await parsed.InvokeAsync(invocation, stop);
    }

    private static int Report(Exception error, string[] args, Shell shell, bool stopped)
    {
        (int code, string line) = Describe(error, stopped);
        bool verbose = args.Contains("-v") || args.Contains("--verbose");
        try
        {
            shell.Error.WriteLine($"troupe: {line.ReplaceLineEndings(" ")}");
            if (verbose && code != ExitCode.WrongUsage) shell.Error.WriteLine(error);
        }
        catch (IOException)
        {
            // Nobody reads stderr, or its disk is full as well: the exit code has to say it.
        }
        return code;
    }

    /// <summary>The exit code and the line of an error.</summary>
    internal static (int Code, string Line) Describe(Exception error, bool stopped)
    {
        // Actor systems wrap what goes wrong at their start; an aggregate's message ends with those of what it holds.
        if (error is AggregateException { InnerExceptions: [var only] } && error.Message.StartsWith("cannot ", StringComparison.Ordinal))
            return (ExitCode.Failed, error.Message.Replace($" ({only.Message})", "", StringComparison.Ordinal) + $" ({only.Message})");
        if (error is AggregateException or TargetInvocationException && error.InnerException is { } inner) return Describe(inner, stopped);
        return error switch
        {
            UsageException => (ExitCode.WrongUsage, error.Message),
            OperationCanceledException when stopped => (ExitCode.Failed, "stopped"),
            FailedException or ModelException or ConfigException or ClusterException or FabricSetupException =>
                (ExitCode.Failed, error.Message),
            IOException when error.HResult == NoSpace =>
                (ExitCode.Failed, $"the disk is full: {error.Message}; free some space where the output goes"),
            SocketException or IOException or UnauthorizedAccessException => (ExitCode.Failed, error.Message),
            _ when CausedByNetwork(error) => (ExitCode.Failed, $"{WithoutReference(error.Message)} ({Innermost(error).Message})"),
            _ => (ExitCode.Failed, $"a defect in Troupe: {error.GetType().Name}: {error.Message}; run with -v for where it happened"),
        };
    }

    /// <summary>Akka.NET's message names the address, and refers to what it wraps for the reason.</summary>
    private static string WithoutReference(string message) =>
        message.Replace("See InnerException for details.", "", StringComparison.Ordinal).Trim();

    private static Exception Innermost(Exception error) => error.InnerException is { } inner ? Innermost(inner) : error;

    private static bool CausedByNetwork(Exception error)
    {
        for (Exception? at = error; at is not null; at = at.InnerException)
            if (at is SocketException) return true;
        return false;
    }
}
