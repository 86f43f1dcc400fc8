using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Collectives;

/// <summary>What collectives owe their callers, on every fabric.</summary>
public sealed class CollectiveTests
{
    private const int Rounds = 6, MaxValues = 1500;

    public static TheoryData<FabricKind, int> Groups()
    {
        var data = new TheoryData<FabricKind, int>();
        foreach (var kind in Worlds.Fabrics)
            foreach (int ranks in (int[])[1, 2, 3, 5, 8]) data.Add(kind, ranks);
        return data;
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void AllGatherV_joins_ragged_and_empty_parts_in_order_of_members(FabricKind kind, int ranks) => Run(kind, ranks, (comm, round) =>
    {
        int[] counts = [.. Enumerable.Range(0, ranks).Select(member => Length(member, round))];
        float[] expected = [.. Enumerable.Range(0, ranks).SelectMany(member => Values(member, round))];
        float[] all = new float[expected.Length];
        int[] got = new int[ranks];
        comm.AllGatherV<float>(Values(comm.Position, round), all, got);
        Assert.Equal(counts, got);
        Assert.Equal(expected, all);
    });

    [Theory]
    [MemberData(nameof(Groups))]
    public void ReduceScatterV_adds_in_order_of_members(FabricKind kind, int ranks) => Run(kind, ranks, (comm, round) =>
    {
        int[] counts = [.. Enumerable.Range(0, ranks).Select(member => Length(member, round))];
        float[] Parts(int member) => [.. Noise(member, round).Take(counts.Sum())];
        float[] expected = Sum(ranks, Parts)[counts[..comm.Position].Sum()..][..counts[comm.Position]];
        float[] mine = new float[counts[comm.Position]];
        comm.ReduceScatterV(Parts(comm.Position), counts, mine);
        Assert.Equal(expected, mine);
    });

    [Theory]
    [MemberData(nameof(Groups))]
    public void AllReduce_gives_everybody_the_sums_in_order_of_members(FabricKind kind, int ranks) => Run(kind, ranks, (comm, round) =>
    {
        int length = round * 257;
        float[] values = [.. Noise(comm.Position, round).Take(length)];
        comm.AllReduce(values);
        Assert.Equal(Sum(ranks, member => [.. Noise(member, round).Take(length)]), values);
    });

    [Theory]
    [MemberData(nameof(Groups))]
    public void Broadcast_gives_everybody_the_values_of_the_root(FabricKind kind, int ranks) => Run(kind, ranks, (comm, round) =>
    {
        int root = round % ranks;
        float[] values = comm.Position == root ? Values(root, 3) : new float[Length(root, 3)];
        comm.Broadcast<float>(comm.Group[root], values);
        Assert.Equal(Values(root, 3), values);
    });

    [Theory]
    [MemberData(nameof(Groups))]
    public void Nobody_passes_a_barrier_before_all_have_come(FabricKind kind, int ranks)
    {
        int[] came = new int[Rounds];
        Run(kind, ranks, (comm, round) =>
        {
            Interlocked.Increment(ref came[round]);
            comm.Barrier();
            Assert.Equal(ranks, Volatile.Read(ref came[round]));
        });
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void Several_tensors_of_different_types_travel_in_one_exchange(FabricKind kind, int ranks) => Run(kind, ranks, (comm, round) =>
    {
        var exchange = comm.Exchange;
        exchange.Begin();
        for (int member = 0; member < ranks; member++)
        {
            if (member == comm.Position) continue;
            exchange.Add<float>(member, Values(comm.Position, round));
            exchange.Add<int>(member, [comm.Position, member, round]);
            exchange.Add<byte>(member, []);
        }
        exchange.Post();
        for (int member = ranks - 1; member >= 0; member--)
        {
            if (member == comm.Position) continue;
            Assert.Equal(3, exchange.Wait(member));
            Assert.Equal(Values(member, round), exchange.Received<float>(member, 0).ToArray());
            Assert.Equal([member, comm.Position, round], exchange.Received<int>(member, 1).ToArray());
            Assert.Equal(0, exchange.Received<byte>(member, 2).Length);
        }
    });

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Groups_that_share_no_rank_use_one_reservation_side_by_side(FabricKind kind)
    {
        var world = new World(new Layout(2, 3, 1));
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, new CommunicatorShape(3) { CollectiveBytes = 64 });
        Ranks.Run(kind, world, plan, fabric =>
        {
            int stage = world.Place(fabric.Self).Stage;
            var comm = new Communicator(fabric, world.Stage(stage), reserved);
            for (int round = 0; round < 20; round++)
            {
                float[] value = [fabric.Self.Value + round];
                comm.AllReduce(value);
                Assert.Equal(stage == 0 ? 0 + 1 + 2 + 3 * round : 3 + 4 + 5 + 3 * round, value[0]);
            }
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Different_lengths_in_one_sum_end_the_epoch_with_both_lengths(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, new CommunicatorShape(2) { CollectiveBytes = 64 });
        var outcomes = Ranks.Outcomes(kind, world, plan, fabric =>
            new Communicator(fabric, world.All, reserved).AllReduce(new float[2 + fabric.Self.Value]));
        // Both notice; the first one's words go round.
        Assert.All(outcomes, outcome => Assert.Matches("sent (2 values where .* expected 3|3 values where .* expected 2)",
            Assert.IsType<FabricException>(outcome).Reason));
    }

    private static void Run(FabricKind kind, int ranks, Action<ICommunicator, int> body)
    {
        var world = Worlds.Of(ranks);
        var plan = new WindowPlan();
        plan.Reserve(100); // whatever else lives in the window
        var reserved = CommunicatorPlan.Reserve(plan, new CommunicatorShape(ranks) { CollectiveBytes = MaxValues * sizeof(float) });
        Ranks.Run(kind, world, plan, fabric =>
        {
            var comm = new Communicator(fabric, world.All, reserved);
            for (int round = 0; round < Rounds; round++) body(comm, round);
        });
    }

    private static int Length(int member, int round) => (member * 37 + round * 11) % 5 * 40;

    private static float[] Values(int member, int round) =>
        [.. Enumerable.Range(0, Length(member, round)).Select(i => member * 100f + round + i / 1000f)];

    /// <summary>Values of very different sizes, so that the order of additions shows.</summary>
    private static float[] Noise(int member, int round)
    {
        var random = new Random(member * 1000 + round);
        return [.. Enumerable.Range(0, MaxValues).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-5, 6))))];
    }

    private static float[] Sum(int ranks, Func<int, float[]> parts)
    {
        float[] sum = new float[parts(0).Length];
        for (int member = 0; member < ranks; member++)
        {
            float[] part = parts(member);
            for (int i = 0; i < sum.Length; i++) sum[i] += part[i];
        }
        return sum;
    }
}
