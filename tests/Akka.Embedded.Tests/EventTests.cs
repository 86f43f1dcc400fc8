using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class EventTests : IDisposable
{
    private readonly ActorSystem _system = Systems.Quiet();
    private readonly Inbox _inbox = new();

    public void Dispose() => _system.Dispose();

    private interface IMarked;

    private sealed record Marked(int Number) : IMarked;

    [Fact]
    public void A_subscriber_gets_all_that_is_of_its_channel()
    {
        var probe = Probe.In(_system, _inbox);
        Assert.True(_system.EventStream.Subscribe(probe, typeof(IMarked)));
        Assert.False(_system.EventStream.Subscribe(probe, typeof(IMarked)));
        _system.EventStream.Publish("not marked");
        _system.EventStream.Publish(new Marked(1));
        Assert.Equal(new Marked(1), _inbox.Next());
        Assert.True(_system.EventStream.Unsubscribe(probe, typeof(IMarked)));
        Assert.False(_system.EventStream.Unsubscribe(probe, typeof(IMarked)));
        _system.EventStream.Publish(new Marked(2));
        _system.EventStream.Subscribe(probe, typeof(Marked));
        _system.EventStream.Publish(new Marked(3));
        Assert.Equal(new Marked(3), _inbox.Next());
    }

    [Fact]
    public async Task A_stopped_subscriber_is_removed()
    {
        var letters = new Inbox();
        _system.EventStream.Subscribe(Probe.In(_system, letters), typeof(DeadLetter));
        var probe = Probe.In(_system, _inbox);
        _system.EventStream.Subscribe(probe, typeof(Marked));
        Assert.True(await probe.GracefulStop(Systems.Deadline));
        // Akka removes it in its own time: until then the event is a dead letter.
        using var deadline = new CancellationTokenSource(Systems.Deadline);
        object first;
        do
        {
            deadline.Token.ThrowIfCancellationRequested();
            _system.EventStream.Publish(new Marked(1));
            _system.DeadLetters.Tell("mark");
            first = letters.Next<DeadLetter>().Message;
            if (first is not "mark") Assert.Equal("mark", letters.Next<DeadLetter>().Message);
        }
        while (first is not "mark");
    }

    [Fact]
    public async Task A_message_to_a_stopped_actor_is_a_dead_letter()
    {
        var probe = Probe.In(_system, _inbox);
        _system.EventStream.Subscribe(probe, typeof(AllDeadLetters));
        var stopped = _system.ActorOf(Props.Empty);
        Assert.True(await stopped.GracefulStop(Systems.Deadline));
        stopped.Tell("late", probe);
        var letter = _inbox.Next<DeadLetter>();
        Assert.Equal(("late", probe, stopped), (letter.Message, letter.Sender, letter.Recipient));
        stopped.Tell(PoisonPill.Instance, probe);
        Assert.IsType<PoisonPill>(_inbox.Next<SuppressedDeadLetter>().Message);
    }

    /// <summary>A logger of the test; found by its name in HOCON.</summary>
    private sealed class TestLogger : ReceiveActor
    {
        public static readonly Inbox Lines = new();

        public TestLogger()
        {
            Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
            Receive<LogEvent>(log => Lines.Add(log));
        }
    }

    private static ActorSystem Logging(string level) => ActorSystem.Create("logs", ConfigurationFactory.ParseString($$"""
        akka {
          loglevel = {{level}}
          stdout-loglevel = OFF
          loggers = ["{{typeof(TestLogger).FullName}}, {{typeof(TestLogger).Assembly.GetName().Name}}"]
        }
        """));

    private static LogEvent LineFrom(Type source)
    {
        while (true)
        {
            if (TestLogger.Lines.Next<LogEvent>() is var line && line.LogClass == source) return line;
        }
    }

    [Fact]
    public void A_logger_named_in_HOCON_gets_events_from_its_level_up()
    {
        using var system = Logging("WARNING");
        var log = Akka.Event.Logging.GetLogger(system, typeof(EventTests));
        var cause = new InvalidOperationException("broken");
        Assert.False(log.IsEnabled(LogLevel.InfoLevel));
        log.Info("not written");
        log.Warning("{0} of {1}", 3, "four");
        log.Error(cause, "failed at {0}", 5);
        var line = LineFrom(typeof(EventTests));
        Assert.Equal(("3 of four", LogLevel.WarningLevel), (line.Message.ToString(), line.LogLevel()));
        line = LineFrom(typeof(EventTests));
        Assert.Equal(("failed at 5", cause, typeof(Error)), (line.Message.ToString(), line.Cause, line.GetType()));
    }

    [Fact]
    public void An_actors_log_names_its_path()
    {
        using var system = Logging("INFO");
        var probe = Probe.In(system, _inbox, "speaker");
        probe.Tell((Action<IActorContext>)(context => context.GetLogger().Info("hello")));
        var line = LineFrom(typeof(Probe));
        Assert.Contains("akka://logs/user/speaker", line.LogSource, StringComparison.Ordinal);
        Assert.Equal("hello", line.Message.ToString());
    }

    [Fact]
    public void A_wrong_level_is_refused()
    {
        var config = ConfigurationFactory.ParseString("akka.loglevel = LOUD, akka.stdout-loglevel = OFF");
        Assert.ThrowsAny<Exception>(() => ActorSystem.Create("logs", config));
    }
}
