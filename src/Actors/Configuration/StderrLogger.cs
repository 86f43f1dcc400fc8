using Akka.Actor;
using Akka.Event;

namespace Troupe.Actors.Configuration;

/// <summary>Akka.NET's log events on stderr, one line each: stdout belongs to results. Named in hocon/reference.conf.</summary>
public sealed class StderrLogger : ReceiveActor
{
    /// <summary>Made by Akka.NET at the start of a system.</summary>
    public StderrLogger()
    {
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
        bool verbose = Context.System.Settings.Config.GetString("akka.loglevel") is "INFO" or "DEBUG";
        Receive<LogEvent>(log =>
        {
            if (verbose || !IsAboutConnections(log)) Console.Error.WriteLine(Format(log));
        });
    }

    /// <summary>
    /// Akka.NET reports every connection that ends, with stack traces, also those of nodes that were told to stop. Our lifelines report the
    /// ends that matter, by name; so these lines are for -v.
    /// </summary>
    internal static bool IsAboutConnections(LogEvent log) =>
        log.LogSource.Contains("/system/endpointManager", StringComparison.Ordinal)
            || log.LogSource.StartsWith("remoting", StringComparison.Ordinal);

    /// <summary>As "04:12:07.120 warning akka://troupe/user/rank: text", with the cause's message and, for errors, its stack.</summary>
    internal static string Format(LogEvent log)
    {
        string level = log.LogLevel() switch
        {
            LogLevel.DebugLevel => "debug",
            LogLevel.InfoLevel => "info",
            LogLevel.WarningLevel => "warning",
            _ => "error",
        };
        string line = $"{log.Timestamp.ToLocalTime():HH:mm:ss.fff} {level} {log.LogSource}: {log.Message}";
        return log.Cause is null ? line : level == "error" ? $"{line}\n{log.Cause}" : $"{line}: {log.Cause.Message}";
    }
}
