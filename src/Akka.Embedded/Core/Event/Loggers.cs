using Akka.Actor;
using Akka.Configuration;

namespace Akka.Event;

/// <summary>Writes to standard output.</summary>
public class DefaultLogger : ActorBase
{
    protected override bool Receive(object message)
    {
        if (message is InitializeLogger) Sender.Tell(new LoggerInitialized());
        else if (message is LogEvent log) Console.Out.WriteLine(log);
        else return false;
        return true;
    }
}

/// <summary>Starts and stops the loggers of a system; before and after them events go to standard output.</summary>
internal sealed class LoggerSet(ActorSystemImpl system)
{
    private readonly List<IActorRef> _loggers = [];
    private readonly StandardOutput _standardOutput = new();

    /// <summary>Reads `loglevel` and `stdout-loglevel`; a wrong level throws ArgumentException.</summary>
    public void StartStandardOutput()
    {
        var config = system.Settings.Config;
        var level = Logging.LevelFor(config.GetString("akka.stdout-loglevel"));
        system.EventStream.LogLevel = Logging.LevelFor(config.GetString("akka.loglevel"));
        foreach (var channel in Logging.ChannelsFrom(level)) system.EventStream.Subscribe(_standardOutput, channel);
    }

    public void StartLoggers()
    {
        var config = system.Settings.Config;
        var timeout = config.GetTimeSpan("akka.logger-startup-timeout", null, allowInfinite: false);
        int number = 0;
        foreach (string name in config.GetStringList("akka.loggers"))
        {
            var type = TypeNames.Resolve(name)
                ?? throw new ConfigurationException($"akka.loggers names {name}, which is not a class that can be found");
            var logger = system.SystemActorOf(Props.Create(type), $"log{++number}-{type.Name}");
            object answer;
            try
            {
                answer = logger.Ask(new InitializeLogger(system.EventStream), timeout).GetAwaiter().GetResult();
            }
            catch (AskTimeoutException)
            {
                throw new ConfigurationException($"logger {name} did not answer InitializeLogger within {timeout}");
            }
            if (answer is not LoggerInitialized)
                throw new ConfigurationException($"logger {name} must answer LoggerInitialized to InitializeLogger, got {answer}");
            foreach (var channel in Logging.ChannelsFrom(system.EventStream.LogLevel)) system.EventStream.Subscribe(logger, channel);
            _loggers.Add(logger);
        }
        system.EventStream.Unsubscribe(_standardOutput);
    }

    public void Stop()
    {
        var level = Logging.LevelFor(system.Settings.Config.GetString("akka.stdout-loglevel"));
        foreach (var channel in Logging.ChannelsFrom(level)) system.EventStream.Subscribe(_standardOutput, channel);
        foreach (var logger in _loggers) system.EventStream.Unsubscribe(logger);
        _loggers.Clear();
    }

    /// <summary>Writes on the caller's thread.</summary>
    private sealed class StandardOutput : InternalActorRef
    {
        public override ActorPath Path { get; } = new RootActorPath(Address.AllSystems) / "StandardOutLogger";
        internal override ActorSystemImpl System => null;
        public override void Tell(object message, IActorRef sender) => Console.Out.WriteLine(message);
        internal override void SendSystemMessage(SystemMessage message) => message.AnswerForTheDead();
    }
}
