using Akka.Actor;

namespace Akka.Event;

/// <summary>Writes log events of one source. Use it through <see cref="LoggingExtensions"/>.</summary>
public interface ILoggingAdapter
{
    bool IsEnabled(LogLevel logLevel);
    void Log(LogLevel logLevel, Exception cause, string format);
}

public static class LoggingExtensions
{
    public static void Debug(this ILoggingAdapter log, string format, params object[] args) =>
        Write(log, LogLevel.DebugLevel, null, format, args);

    public static void Info(this ILoggingAdapter log, string format, params object[] args) =>
        Write(log, LogLevel.InfoLevel, null, format, args);

    public static void Warning(this ILoggingAdapter log, string format, params object[] args) =>
        Write(log, LogLevel.WarningLevel, null, format, args);

    public static void Warning(this ILoggingAdapter log, Exception cause, string format, params object[] args) =>
        Write(log, LogLevel.WarningLevel, cause, format, args);

    public static void Error(this ILoggingAdapter log, string format, params object[] args) =>
        Write(log, LogLevel.ErrorLevel, null, format, args);

    public static void Error(this ILoggingAdapter log, Exception cause, string format, params object[] args) =>
        Write(log, LogLevel.ErrorLevel, cause, format, args);

    private static void Write(ILoggingAdapter log, LogLevel level, Exception cause, string format, object[] args)
    {
        if (log.IsEnabled(level)) log.Log(level, cause, args is null || args.Length == 0 ? format : Format(format, args));
    }

    private static string Format(string format, object[] args)
    {
        try
        {
            return string.Format(format, args);
        }
        catch (FormatException)
        {
            return $"{format} [{string.Join(", ", args)}]";
        }
    }
}

public static class Logging
{
    public static ILoggingAdapter GetLogger(this IActorContext context) =>
        new BusLogger(context.System.EventStream, context.Self.Path.ToString(), context.Props.Type);

    public static ILoggingAdapter GetLogger(ActorSystem system, object logSourceObj) =>
        new BusLogger(system.EventStream, SourceOf(system, logSourceObj), logSourceObj as Type ?? logSourceObj.GetType());

    private static string SourceOf(ActorSystem system, object source) => source switch
    {
        string text => $"{text}({system.Name})",
        IActorRef actor => actor.Path.ToString(),
        IActorContext context => context.Self.Path.ToString(),
        Type type => $"{type.Name}({system.Name})",
        _ => $"{source.GetType().Name}({system.Name})",
    };

    internal static LogEvent Create(LogLevel level, Exception cause, string source, Type type, object message) => level switch
    {
        LogLevel.DebugLevel => new Debug(cause, source, type, message),
        LogLevel.InfoLevel => new Info(cause, source, type, message),
        LogLevel.WarningLevel => new Warning(cause, source, type, message),
        _ => new Error(cause, source, type, message),
    };

    /// <summary>OFF gives a level above all.</summary>
    internal static LogLevel LevelFor(string name) => name?.ToUpperInvariant() switch
    {
        "DEBUG" => LogLevel.DebugLevel,
        "INFO" => LogLevel.InfoLevel,
        "WARNING" => LogLevel.WarningLevel,
        "ERROR" => LogLevel.ErrorLevel,
        "OFF" => Off,
        _ => throw new ArgumentException($"a log level must be OFF, ERROR, WARNING, INFO or DEBUG, got {name}"),
    };

    internal const LogLevel Off = (LogLevel)int.MaxValue;

    internal static Type[] ChannelsFrom(LogLevel level) =>
    [
        .. new[] { typeof(Debug), typeof(Info), typeof(Warning), typeof(Error) }.Where((_, i) => (int)level <= i),
    ];

    private sealed class BusLogger(EventStream bus, string source, Type type) : ILoggingAdapter
    {
        public bool IsEnabled(LogLevel logLevel) => logLevel >= bus.LogLevel;

        public void Log(LogLevel logLevel, Exception cause, string format)
        {
            if (IsEnabled(logLevel)) bus.Publish(Create(logLevel, cause, source, type, format));
        }
    }
}
