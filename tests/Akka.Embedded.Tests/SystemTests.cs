using Akka;
using Akka.Actor;
using Akka.Configuration;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class SystemTests
{
    private readonly Inbox _inbox = new();

    [Theory]
    [InlineData("")]
    [InlineData("-a")]
    [InlineData("a_b")]
    [InlineData("a b")]
    public void A_bad_system_name_is_refused(string name)
    {
        Assert.ThrowsAny<ArgumentException>(() => ActorSystem.Create(name));
    }

    [Fact]
    public async Task Terminate_stops_the_actors_calls_back_and_ends_the_task()
    {
        var system = Systems.Quiet();
        system.ActorOf(Props.Create<Ending>(_inbox));
        system.RegisterOnTermination(() => _inbox.Add("callback"));
        await system.Terminate().WaitAsync(Systems.Deadline);
        await system.Terminate().WaitAsync(Systems.Deadline);
        await system.WhenTerminated.WaitAsync(Systems.Deadline);
        Assert.Equal(["PostStop", "callback"], _inbox.Next(2));
    }

    private sealed class Ending : ReceiveActor
    {
        private readonly Inbox _inbox;
        public Ending(Inbox inbox) => _inbox = inbox;
        protected override void PostStop() => _inbox.Add("PostStop");
    }

    [Fact]
    public async Task Phases_of_a_shutdown_run_in_order_while_actors_live_and_only_once()
    {
        using var system = Systems.Quiet();
        var echo = system.ActorOf(Lambda.Of((context, message) => context.Sender.Tell(message)));
        var shutdown = CoordinatedShutdown.Get(system);
        foreach (string phase in new[] { CoordinatedShutdown.PhaseClusterLeave, CoordinatedShutdown.PhaseBeforeServiceUnbind,
            CoordinatedShutdown.PhaseBeforeActorSystemTerminate, CoordinatedShutdown.PhaseServiceStop })
        {
            shutdown.AddTask(phase, "note", async () =>
            {
                _inbox.Add(await echo.Ask<string>(phase, Systems.Deadline));
                return Done.Instance;
            });
        }
        Assert.Null(shutdown.ShutdownReason);
        var first = shutdown.Run(Planned.Instance);
        var second = shutdown.Run(CoordinatedShutdown.UnknownReason.Instance);
        Assert.Equal(["before-service-unbind", "service-stop", "cluster-leave", "before-actor-system-terminate"], _inbox.Next(4));
        await Task.WhenAll(first, second, system.WhenTerminated).WaitAsync(Systems.Deadline);
        Assert.Same(Planned.Instance, shutdown.ShutdownReason);
    }

    private sealed class Planned : CoordinatedShutdown.Reason
    {
        public static readonly Planned Instance = new();
    }

    [Fact]
    public async Task A_failed_task_and_one_that_takes_too_long_do_not_stop_the_shutdown()
    {
        using var system = Systems.Quiet("akka.coordinated-shutdown.phases.service-stop.timeout = 20ms");
        var shutdown = CoordinatedShutdown.Get(system);
        shutdown.AddTask("before-service-unbind", "fails", () => throw new InvalidOperationException("as asked"));
        shutdown.AddTask("service-stop", "hangs", () => new TaskCompletionSource<Done>().Task);
        await shutdown.Run(Planned.Instance).WaitAsync(Systems.Deadline);
        await system.WhenTerminated.WaitAsync(Systems.Deadline);
    }

    [Fact]
    public async Task A_failure_in_a_phase_that_may_not_recover_ends_the_run()
    {
        var system = Systems.Quiet("akka.coordinated-shutdown.phases.service-stop.recover = off");
        var shutdown = CoordinatedShutdown.Get(system);
        shutdown.AddTask("service-stop", "fails", () => throw new InvalidOperationException("as asked"));
        await Assert.ThrowsAnyAsync<Exception>(() => shutdown.Run(Planned.Instance).WaitAsync(Systems.Deadline));
        Assert.False(system.WhenTerminated.IsCompleted);
        await EndByItsGuardian(system);
    }

    [Fact]
    public async Task A_system_ends_with_its_user_guardian() => await EndByItsGuardian(Systems.Quiet());

    private static async Task EndByItsGuardian(ActorSystem system)
    {
        system.Stop(await system.ActorSelection("/user").ResolveOne(Systems.Deadline));
        await system.WhenTerminated.WaitAsync(Systems.Deadline);
    }

    [Fact]
    public void An_unknown_phase_is_refused()
    {
        using var system = Systems.Quiet();
        var shutdown = CoordinatedShutdown.Get(system);
        Assert.Throws<ConfigurationException>(() => shutdown.AddTask("soon", "x", () => Task.FromResult(Done.Instance)));
    }

    [Fact]
    public async Task Terminate_runs_the_coordinated_shutdown()
    {
        var system = Systems.Quiet();
        CoordinatedShutdown.Get(system).AddTask("service-stop", "note", () =>
        {
            _inbox.Add("service-stop");
            return Task.FromResult(Done.Instance);
        });
        await system.Terminate().WaitAsync(Systems.Deadline);
        Assert.Equal("service-stop", _inbox.Next());
        Assert.IsType<CoordinatedShutdown.ActorSystemTerminateReason>(CoordinatedShutdown.Get(system).ShutdownReason);
    }

    private sealed class Numbers : IExtension
    {
        public string SystemName { get; init; }
    }

    private sealed class NumbersId : ExtensionIdProvider<Numbers>
    {
        public override Numbers CreateExtension(ExtendedActorSystem system) => new() { SystemName = system.Name };
    }

    [Fact]
    public void An_extension_is_made_once_for_each_system()
    {
        using var one = Systems.Quiet();
        using var two = Systems.Quiet();
        Assert.Null(new NumbersId().Get(one));
        var numbers = new NumbersId().Apply(one);
        Assert.Equal("test", numbers.SystemName);
        Assert.Same(numbers, new NumbersId().Apply(one));
        Assert.Same(numbers, one.GetExtension<Numbers>());
        Assert.Same(numbers, new NumbersId().Get(one));
        Assert.NotSame(numbers, new NumbersId().Apply(two));
    }

    [Fact]
    public void Settings_lie_over_the_defaults()
    {
        using var system = Systems.Quiet("own.key = 5");
        Assert.Equal(5, system.Settings.Config.GetInt("own.key"));
        Assert.Equal(30, system.Settings.Config.GetInt("akka.actor.default-dispatcher.throughput"));
        system.Settings.InjectTopLevelFallback(ConfigurationFactory.ParseString("own { key = 1, other = 2 }"));
        Assert.Equal((5, 2), (system.Settings.Config.GetInt("own.key"), system.Settings.Config.GetInt("own.other")));
    }

    [Fact]
    public void An_extended_system_resolves_paths_and_makes_system_actors()
    {
        using var system = Systems.Quiet();
        var extended = (ExtendedActorSystem)system;
        var actor = Probe.In(system, _inbox, "found");
        Assert.Equal(actor, extended.Provider.ResolveActorRef("akka://test/user/found"));
        Assert.Equal(actor, extended.Provider.ResolveActorRef(actor.Path.ToSerializationFormat()));
        Assert.Equal(new Address("akka", "test"), extended.Provider.DefaultAddress);
        Assert.Equal("/system/own", extended.SystemActorOf(Props.Empty, "own").Path.ToStringWithoutAddress());
        extended.Provider.ResolveActorRef("akka://test/user/found").Tell("hello");
        Assert.Equal("hello", _inbox.Next());
    }

    [Fact]
    public void An_actor_runs_on_the_dispatcher_that_its_props_name()
    {
        using var system = Systems.Quiet("own { type = Dispatcher, throughput = 1 }");
        var named = Props.Create<Probe>(_inbox).WithDispatcher("own");
        Assert.Equal("own", named.Dispatcher);
        system.ActorOf(named).Tell("hello");
        Assert.Equal("hello", _inbox.Next());
    }

    [Fact]
    public void A_dispatcher_that_is_not_configured_is_refused()
    {
        using var system = Systems.Quiet();
        var refused = Assert.Throws<ConfigurationException>(() => system.ActorOf(Props.Create<Probe>(_inbox).WithDispatcher("no.such")));
        Assert.Contains("no.such", refused.Message, StringComparison.Ordinal);
    }
}
