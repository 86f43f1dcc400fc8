using Akka.Actor;
using Xunit;

namespace Troupe.AkkaContract.Tests;

public sealed class MessagingTests : IDisposable
{
    private readonly ActorSystem _system = Systems.Quiet();
    private readonly Inbox _inbox = new();

    public void Dispose() => _system.Dispose();

    [Fact]
    public async Task An_answer_comes_back_to_the_asker()
    {
        var echo = _system.ActorOf(Lambda.Of((context, message) => context.Sender.Tell(message)));
        Assert.Equal("ping", await echo.Ask<string>("ping", Systems.Deadline));
    }

    [Fact]
    public void Messages_of_one_sender_arrive_in_order()
    {
        var probe = Probe.In(_system, _inbox);
        for (int i = 0; i < 10_000; i++) probe.Tell(i);
        for (int i = 0; i < 10_000; i++) Assert.Equal(i, _inbox.Next());
    }

    [Fact]
    public void Messages_of_many_senders_all_arrive_each_in_its_order()
    {
        const int Senders = 4, Each = 5_000;
        var probe = Probe.In(_system, _inbox);
        Parallel.For(0, Senders, sender =>
        {
            for (int i = 0; i < Each; i++) probe.Tell((sender, i));
        });
        int[] next = new int[Senders];
        for (int i = 0; i < Senders * Each; i++)
        {
            var (sender, number) = _inbox.Next<(int, int)>();
            Assert.Equal(next[sender]++, number);
        }
    }

    [Fact]
    public void A_message_from_outside_comes_from_DeadLetters()
    {
        Probe.In(_system, _inbox).Tell("hello");
        Assert.Equal(_system.DeadLetters, _inbox.NextWithSender().Sender);
    }

    [Fact]
    public void A_message_from_an_actor_comes_from_that_actor_and_a_forwarded_one_from_its_first_sender()
    {
        var probe = Probe.In(_system, _inbox);
        var relay = _system.ActorOf(Lambda.Of((_, message) =>
        {
            probe.Tell("own");
            probe.Forward(message);
        }));
        var source = _system.ActorOf(Lambda.Of((_, message) => relay.Tell(message)));
        source.Tell("passed on");
        Assert.Equal(("own", relay), _inbox.NextWithSender());
        Assert.Equal(("passed on", source), _inbox.NextWithSender());
    }

    [Fact]
    public void Null_is_refused_at_the_caller()
    {
        var probe = Probe.In(_system, _inbox);
        probe.Tell("has started");
        Assert.Equal("has started", _inbox.Next());
        Assert.Throws<ArgumentNullException>(() => probe.Tell(null));
        Assert.Throws<InvalidMessageException>(() => _system.DeadLetters.Tell(null));
    }

    [Fact]
    public void An_actor_made_by_new_is_refused()
    {
        Assert.Throws<ActorInitializationException>(() => new Probe(_inbox));
    }

    [Theory]
    [InlineData("")]
    [InlineData("$a")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("a#b")]
    [InlineData("ä")]
    public void A_bad_name_is_refused(string name)
    {
        Assert.Throws<InvalidActorNameException>(() => Probe.In(_system, _inbox, name));
    }

    [Theory]
    [InlineData("a-b_c.d")]
    [InlineData("rank(3)")]
    [InlineData("50%25")]
    [InlineData("$a", false)]
    [InlineData("a%2", false)]
    public void A_path_element_is_valid_or_not(string name, bool valid = true)
    {
        Assert.Equal(valid, ActorPath.IsValidPathElement(name));
    }

    [Fact]
    public void A_name_is_taken_until_its_actor_has_ended_and_then_gives_another_reference()
    {
        var parent = _system.ActorOf(Lambda.Of((context, message) =>
        {
            if (message is "start")
            {
                _inbox.Add(context.Watch(context.ActorOf(Props.Empty, "same")));
                return;
            }
            if (message is "stop") context.Stop(context.Child("same"));
            if (message is Terminated) _inbox.Add(context.ActorOf(Props.Empty, "same"));
            else _inbox.Add(Record.Exception(() => context.ActorOf(Props.Empty, "same")));
        }));
        foreach (string message in new[] { "start", "again", "stop" }) parent.Tell(message);
        var first = _inbox.Next<IActorRef>();
        Assert.IsType<InvalidActorNameException>(_inbox.Next());
        Assert.IsType<InvalidActorNameException>(_inbox.Next());
        var second = _inbox.Next<IActorRef>();
        Assert.Equal(first.Path, second.Path);
        Assert.NotEqual(first.Path.Uid, second.Path.Uid);
        Assert.NotEqual(first, second);
    }

    [Fact]
    public void Actors_without_a_name_get_one()
    {
        var parent = Probe.In(_system, _inbox);
        parent.Tell((Action<IActorContext>)(context =>
        {
            _inbox.Add(context.ActorOf(Props.Empty).Path.Name);
            _inbox.Add(context.ActorOf(Props.Empty).Path.Name);
        }));
        Assert.Equal(["$a", "$b"], _inbox.Next(2));
    }

    [Fact]
    public void A_child_that_is_not_there_is_Nobody()
    {
        var parent = Probe.In(_system, _inbox);
        parent.Tell((Action<IActorContext>)(context =>
        {
            var child = context.ActorOf(Props.Empty, "child");
            _inbox.Add(context.Child("child").Equals(child));
            _inbox.Add(context.Child("other").IsNobody());
            _inbox.Add(context.GetChildren().Single().Equals(child));
        }));
        Assert.Equal([true, true, true], _inbox.Next(3));
    }

    [Fact]
    public void References_and_paths_are_written_as_documented()
    {
        var actor = Probe.In(_system, _inbox, "a");
        Assert.Equal("akka://test/user/a", actor.Path.ToString());
        Assert.Equal($"[akka://test/user/a#{actor.Path.Uid}]", actor.ToString());
        Assert.Equal("/user/a", actor.Path.ToStringWithoutAddress());
        Assert.True(actor.Path.Address.HasLocalScope);
        Assert.Equal(actor.Path, new RootActorPath(new Address("akka", "test")) / "user" / "a");
        Assert.Equal(actor.Path.Uid, ActorPath.Parse(actor.Path.ToSerializationFormat()).Uid);
    }

    [Fact]
    public void An_address_is_read_and_compares_by_value()
    {
        var address = Address.Parse("akka.tcp://sys@127.0.0.1:2552");
        Assert.Equal(("akka.tcp", "sys", "127.0.0.1", 2552), (address.Protocol, address.System, address.Host, address.Port));
        Assert.Equal(new Address("akka.tcp", "sys", "127.0.0.1", 2552), address);
        Assert.True(address != new Address("akka.tcp", "sys", "localhost", 2552));
        Assert.Equal("sys@127.0.0.1:2552", address.HostPort());
        Assert.False(Address.TryParse("nonsense", out _));
        var path = ActorPath.Parse("akka.tcp://sys@127.0.0.1:2552/user/a");
        Assert.Equal((address, "a", "user"), (path.Address, path.Name, path.Parent.Name));
    }

    [Fact]
    public void Context_works_only_on_the_actors_turn()
    {
        var probe = _system.ActorOf(Props.Create<Escaping>(_inbox));
        probe.Tell("go");
        Assert.IsType<NotSupportedException>(_inbox.Next());
    }

    private sealed class Escaping : ReceiveActor
    {
        public Escaping(Inbox inbox) => ReceiveAsync<string>(async _ => inbox.Add(await Task.Run(() => Record.Exception(() => Self))));
    }

    [Fact]
    public void Arguments_of_Props_are_evaluated_once()
    {
        int[] evaluated = [0];
        var props = Props.Create(() => new Numbered(Interlocked.Increment(ref evaluated[0]), _inbox));
        var actor = _system.ActorOf(props);
        actor.Tell("fail");
        actor.Tell("number");
        Assert.Equal(1, _inbox.Next());
        Assert.Equal(1, evaluated[0]);
    }

    [Fact]
    public void Props_from_an_expression_that_is_no_new_are_refused()
    {
        Assert.Throws<InvalidCastException>(() => Props.Create(() => Make()));
    }

    private static Numbered Make() => new(0, null);

    private sealed class Numbered : ReceiveActor
    {
        public Numbered(int number, Inbox inbox)
        {
            Receive<string>(text => text == "fail", _ => throw new InvalidOperationException("as asked"));
            ReceiveAny(_ => inbox.Add(number));
        }
    }
}
