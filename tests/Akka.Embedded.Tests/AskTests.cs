using Akka.Actor;
using Akka.Event;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class AskTests : IDisposable
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(30);
    private readonly ActorSystem _system = Systems.Quiet();
    private readonly Inbox _inbox = new();
    private readonly IActorRef _echo;

    public AskTests() => _echo = _system.ActorOf(Lambda.Of((context, message) => context.Sender.Tell(message)), "echo");

    public void Dispose() => _system.Dispose();

    [Fact]
    public async Task The_sender_of_a_question_is_a_temporary_reference()
    {
        var actor = _system.ActorOf(Lambda.Of((context, _) => context.Sender.Tell(context.Sender)));
        var sender = await actor.Ask<IActorRef>("who", Systems.Deadline);
        Assert.Equal("temp", sender.Path.Parent.Name);
        Assert.True(await _echo.Ask<bool>(self => self.Path.Parent.Name == "temp", Systems.Deadline, CancellationToken.None));
    }

    [Fact]
    public async Task A_failure_as_answer_faults_the_task_with_its_cause()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            _echo.Ask<string>(new Status.Failure(new InvalidOperationException("no")), Systems.Deadline));
    }

    [Fact]
    public async Task An_untyped_question_returns_a_failure_as_its_value()
    {
        var failure = new Status.Failure(new InvalidOperationException("no"));
        Assert.Same(failure, await _echo.Ask(failure, Systems.Deadline));
        Assert.Same(failure, await _echo.Ask<object>(failure, Systems.Deadline));
    }

    [Fact]
    public async Task An_answer_of_another_type_is_an_ArgumentException()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _echo.Ask<int>("text", Systems.Deadline));
    }

    [Fact]
    public async Task No_answer_in_time_is_an_AskTimeoutException_and_a_late_one_a_dead_letter()
    {
        _system.EventStream.Subscribe(Probe.In(_system, _inbox), typeof(DeadLetter));
        IActorRef asker = null;
        var silent = _system.ActorOf(Lambda.Of((context, _) => asker = context.Sender));
        await Assert.ThrowsAsync<AskTimeoutException>(() => silent.Ask<string>("x", Short));
        asker.Tell("late");
        Assert.Equal("late", _inbox.Next<DeadLetter>().Message);
    }

    [Fact]
    public async Task A_cancelled_question_ends_as_cancelled()
    {
        using var source = new CancellationTokenSource();
        var silent = _system.ActorOf(Lambda.Of((_, _) => source.Cancel()));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => silent.Ask<string>("x", source.Token));
    }

    [Fact]
    public async Task Asking_a_dead_actor_takes_the_whole_timeout()
    {
        var dead = _system.ActorOf(Props.Empty);
        Assert.True(await dead.GracefulStop(Systems.Deadline));
        await Assert.ThrowsAsync<AskTimeoutException>(() => dead.Ask<string>("x", Short));
    }

    [Fact]
    public async Task The_default_timeout_is_a_setting()
    {
        using var system = Systems.Quiet("akka.actor.ask-timeout = 20ms");
        var silent = system.ActorOf(Lambda.Of((_, _) => { }));
        await Assert.ThrowsAsync<AskTimeoutException>(() => silent.Ask<string>("x"));
    }

    [Fact]
    public void PipeTo_tells_the_result_without_a_sender()
    {
        var probe = Probe.In(_system, _inbox);
        _ = Task.FromResult(5).PipeTo(probe);
        Assert.Equal((5, _system.DeadLetters), _inbox.NextWithSender());
        _ = Task.FromResult(5).PipeTo(probe, _echo, number => number + 1);
        Assert.Equal((6, _echo), _inbox.NextWithSender());
    }

    [Fact]
    public void PipeTo_tells_failures_and_cancellation_as_Status_Failure()
    {
        var probe = Probe.In(_system, _inbox);
        var cause = new InvalidOperationException("no");
        _ = Task.FromException<int>(cause).PipeTo(probe);
        Assert.Same(cause, _inbox.Next<Status.Failure>().Cause);
        _ = Task.FromException(cause).PipeTo(probe, failure: failure => failure.Message);
        Assert.Equal("no", _inbox.Next());
        _ = Task.FromCanceled<int>(new CancellationToken(true)).PipeTo(probe);
        Assert.IsAssignableFrom<OperationCanceledException>(_inbox.Next<Status.Failure>().Cause);
        _ = Task.FromResult(1).PipeTo<int>(probe, success: _ => throw cause);
        Assert.Same(cause, _inbox.Next<Status.Failure>().Cause);
    }

    [Fact]
    public void PipeTo_of_a_plain_task_tells_success_only_if_asked()
    {
        var probe = Probe.In(_system, _inbox);
        _ = Task.CompletedTask.PipeTo(probe);
        _ = Task.CompletedTask.PipeTo(probe, success: () => "done");
        Assert.Equal("done", _inbox.Next());
    }

    [Theory]
    [InlineData("/user/parent/one", "one")]
    [InlineData("user/parent/one", "one")]
    [InlineData("/user/parent/two/../one", "one")]
    [InlineData("akka://test/user/parent/two", "two")]
    [InlineData("/user/parent/t*", "three two")]
    [InlineData("/user/parent/t?o", "two")]
    [InlineData("/user/parent/*", "one three two")]
    [InlineData("/user/*/one", "one")]
    [InlineData("/user/parent/**", "deep one three two")]
    public void A_selection_finds_actors_by_path(string path, string expected)
    {
        MakeFamily();
        string[] names = expected.Split(' ');
        _system.ActorSelection(path).Tell("name", null);
        Assert.Equal(names, _inbox.Next(names.Length).Cast<string>().Order(StringComparer.Ordinal));
    }

    private void MakeFamily()
    {
        Props Named() => Lambda.Of((context, message) => _inbox.Add(context.Self.Path.Name));
        var parent = Probe.In(_system, _inbox, "parent");
        parent.Tell((Action<IActorContext>)(context =>
        {
            context.ActorOf(Named(), "one");
            context.ActorOf(Named(), "two");
            context.ActorOf(Props.Create<WithChild>(_inbox, Named()), "three");
        }));
        Assert.Equal("ready", _inbox.Next());
    }

    private sealed class WithChild : ReceiveActor
    {
        public WithChild(Inbox inbox, Props child)
        {
            Context.ActorOf(child, "deep");
            inbox.Add("ready");
            ReceiveAny(_ => inbox.Add(Self.Path.Name));
        }
    }

    [Fact]
    public void A_selection_in_an_actor_is_relative_to_it()
    {
        var parent = Probe.In(_system, _inbox, "parent");
        parent.Tell((Action<IActorContext>)(context =>
        {
            Probe.In(context, _inbox, "child");
            context.ActorSelection("child").Tell("down", null);
        }));
        Assert.Equal("down", _inbox.Next());
        parent.Tell((Action<IActorContext>)(context => context.ActorSelection("../parent").Tell("around", null)));
        Assert.Equal("around", _inbox.Next());
    }

    [Fact]
    public void A_selection_without_a_match_gives_a_dead_letter()
    {
        _system.EventStream.Subscribe(Probe.In(_system, _inbox), typeof(DeadLetter));
        _system.ActorSelection("/user/nobody").Tell("lost", null);
        Assert.Equal("lost", _inbox.Next<DeadLetter>().Message);
    }

    [Fact]
    public async Task ResolveOne_gives_the_reference_or_ActorNotFoundException()
    {
        Assert.Equal(_echo, await _system.ActorSelection("/user/echo").ResolveOne(Systems.Deadline));
        await Assert.ThrowsAsync<ActorNotFoundException>(() => _system.ActorSelection("/user/nobody").ResolveOne(Short));
    }
}
