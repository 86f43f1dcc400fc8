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
        Receive<LogEvent>(log => Console.Error.WriteLine(Format(log)));
    }

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
