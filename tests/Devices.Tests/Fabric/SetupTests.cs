using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Fabric;

/// <summary>Set-ups that cannot work end with what is wrong, on every fabric.</summary>
public sealed class SetupTests
{
    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Ranks_that_planned_differently_are_told_both_plans(FabricKind kind)
    {
        var outcomes = Join(kind, rank =>
        {
            var plan = new WindowPlan();
            plan.Reserve(rank == 0 ? 1000 : 100_000);
            return new FabricSetup(Worlds.Of(2), Worlds.Of(2).Rank(rank), new Epoch(1), plan, Ranks.Options, "");
        });
        foreach (var outcome in outcomes)
        {
            string message = Assert.IsType<FabricSetupException>(outcome).Message;
            Assert.Contains("planned its window differently", message, StringComparison.Ordinal);
            Assert.Contains("1024 bytes, 0 flags", message, StringComparison.Ordinal);
            Assert.Contains("100096 bytes, 0 flags", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Ranks_of_different_epochs_are_told_both(FabricKind kind)
    {
        var outcomes = Join(kind, rank =>
            new FabricSetup(Worlds.Of(2), Worlds.Of(2).Rank(rank), new Epoch(4 + rank), new WindowPlan(), Ranks.Options, ""));
        Assert.Equal("rank 0: rank 1 is in epoch 5, this rank in epoch 4", Assert.IsType<FabricSetupException>(outcomes[0]).Message);
        Assert.Equal("rank 1: rank 0 is in epoch 4, this rank in epoch 5", Assert.IsType<FabricSetupException>(outcomes[1]).Message);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_rank_that_never_connects_is_named_at_the_deadline(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var options = Ranks.Options with { SetupDeadline = TimeSpan.FromMilliseconds(200) };
        var hub = new InProcessHub();
        string session = Ranks.NewSession();
        using var first = Fabrics.Open(kind, new FabricSetup(world, world.Rank(0), new Epoch(1), new WindowPlan(), options, session), hub);
        using var second = Fabrics.Open(kind, new FabricSetup(world, world.Rank(1), new Epoch(1), new WindowPlan(), options, session), hub);
        var failed = Assert.Throws<FabricSetupException>(() => first.Connect([first.Descriptor, second.Descriptor]));
        Assert.Contains("rank 1 did not ", failed.Message, StringComparison.Ordinal);
        Assert.Contains("within 200 ms", failed.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Each_rank_needs_a_descriptor_of_its_own_kind(FabricKind kind)
    {
        var world = Worlds.Of(2);
        FabricSetup Setup(int rank) => new(world, world.Rank(rank), new Epoch(1), new WindowPlan(), Ranks.Options, Ranks.NewSession());
        IFabricEndpoint Open(int rank) => Fabrics.Open(kind, Setup(rank), new InProcessHub());
        using (var endpoint = Open(1)) Assert.Throws<FabricSetupException>(() => endpoint.Connect([endpoint.Descriptor]));
        using (var endpoint = Open(1)) Assert.Throws<FabricSetupException>(() => endpoint.Connect(["../elsewhere", endpoint.Descriptor]));
        using (var endpoint = Open(1))
        {
            string other = FabricDescriptor.Of(Setup(0), "../elsewhere");
            string message = Assert.Throws<FabricSetupException>(() => endpoint.Connect([other, endpoint.Descriptor])).Message;
            Assert.Contains("../elsewhere", message, StringComparison.Ordinal);
        }
        using (var endpoint = Open(1))
        {
            endpoint.Dispose();
            Assert.Throws<InvalidOperationException>(() => endpoint.Connect([endpoint.Descriptor, endpoint.Descriptor]));
        }
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_plan_whose_window_exists_grows_no_more(FabricKind kind)
    {
        var world = Worlds.Of(1);
        var plan = new WindowPlan();
        var setup = new FabricSetup(world, world.Rank(0), new Epoch(1), plan, Ranks.Options, Ranks.NewSession());
        using var endpoint = Fabrics.Open(kind, setup, new InProcessHub());
        Assert.Throws<InvalidOperationException>(() => plan.Reserve(1));
        Assert.Throws<InvalidOperationException>(() => plan.ReserveFlags(1));
    }

    [Theory]
    [InlineData("")]
    [InlineData("../etc")]
    [InlineData("a b")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345")]
    public void A_session_is_a_plain_word(string session)
    {
        var world = Worlds.Of(1);
        var setup = new FabricSetup(world, world.Rank(0), new Epoch(1), new WindowPlan(), Ranks.Options, session);
        Assert.Throws<ArgumentException>(() => Fabrics.Open(FabricKind.SharedMemory, setup));
    }

    [Fact]
    public void A_secret_has_128_bits()
    {
        var world = Worlds.Of(1);
        var options = Ranks.Options with { Secret = new byte[15] };
        var setup = new FabricSetup(world, world.Rank(0), new Epoch(1), new WindowPlan(), options, "s");
        Assert.Throws<ArgumentException>(() => Fabrics.Open(FabricKind.Tcp, setup));
        Assert.Equal(16, Fabrics.NewSecret().Length);
    }

    [Fact]
    public void Fabrics_go_by_their_names_and_an_unknown_name_lists_them()
    {
        Assert.Equal(FabricKind.SharedMemory, Fabrics.Parse("shm", FabricKind.Tcp));
        Assert.Equal(FabricKind.Tcp, Fabrics.Parse("auto", FabricKind.Tcp));
        foreach (var kind in Enum.GetValues<FabricKind>()) Assert.Equal(kind, Fabrics.Parse(Fabrics.NameOf(kind), FabricKind.Tcp));
        string message = Assert.Throws<ArgumentException>(() => Fabrics.Parse("rdma", FabricKind.Tcp)).Message;
        Assert.Contains("'rdma'; known are auto, inprocess, shm, tcp, mixed", message, StringComparison.Ordinal);
    }

    /// <summary>Opens and connects ranks whose set-ups differ; what each threw.</summary>
    private static Exception?[] Join(FabricKind kind, Func<int, FabricSetup> setup)
    {
        var hub = new InProcessHub();
        string session = Ranks.NewSession();
        FabricSetup[] setups = [setup(0), setup(1)];
        IFabricEndpoint[] endpoints = [.. setups.Select(s => Fabrics.Open(kind, s with { Session = session }, hub))];
        string[] descriptors = [.. endpoints.Select(endpoint => endpoint.Descriptor)];
        var outcomes = new Exception?[endpoints.Length];
        var threads = endpoints.Select((endpoint, rank) => new Thread(() =>
        {
            try
            {
                endpoint.Connect(descriptors).Dispose();
            }
            catch (Exception failed)
            {
                outcomes[rank] = failed;
            }
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) Assert.True(thread.Join(Ranks.Limit));
        return outcomes;
    }
}
