using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Fabric;

/// <summary>What every fabric owes its callers while nothing goes wrong.</summary>
public sealed class FabricContractTests
{
    public static TheoryData<FabricKind, int> Sizes()
    {
        var data = new TheoryData<FabricKind, int>();
        foreach (var kind in Worlds.Fabrics)
            foreach (int ranks in (int[])[1, 2, 3, 6]) data.Add(kind, ranks);
        return data;
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void What_was_put_before_a_notify_is_there_after_the_wait(FabricKind kind, int ranks)
    {
        const int length = 20_000, rounds = 30;
        var world = Worlds.Of(ranks);
        var plan = new WindowPlan();
        var boxes = world.Ranks.Select(_ => plan.Reserve(2 * length)).ToArray(); // of each source, at each rank, used in turn
        var flags = plan.ReserveFlags(1);
        int seed = Seed.For(nameof(What_was_put_before_a_notify_is_there_after_the_wait)).Next();
        Ranks.Run(kind, world, plan, fabric =>
        {
            for (int round = 1; round <= rounds; round++)
            {
                foreach (var peer in world.Ranks)
                {
                    foreach (var (start, bytes) in Pieces(seed, fabric.Self, peer, round))
                        fabric.Put(peer, boxes[fabric.Self.Value].Slice(round % 2 * length + start, bytes.Length), bytes);
                    fabric.Notify(peer, flags[0], (ulong)round);
                }
                foreach (var peer in world.Ranks)
                {
                    Assert.True(fabric.Wait(peer, flags[0], (ulong)round) >= (ulong)round);
                    foreach (var (start, bytes) in Pieces(seed, peer, fabric.Self, round))
                        Assert.Equal(bytes, fabric.Local(boxes[peer.Value].Slice(round % 2 * length + start, bytes.Length)).ToArray());
                }
            }
        });

        // Pieces of all sizes side by side, empty ones too: small and large ones go different ways on tcp.
        static IEnumerable<(int Start, byte[] Bytes)> Pieces(int seed, RankId source, RankId target, int round)
        {
            var random = new Random(HashCode(seed, source.Value, target.Value, round));
            for (int start = 0; start < length;)
            {
                int size = random.Next(4) switch { 0 => 0, 1 => 3, 2 => random.Next(500), _ => random.Next(15_000) };
                byte[] bytes = new byte[Math.Min(length - start, size)];
                random.NextBytes(bytes);
                yield return (start, bytes);
                start += bytes.Length + random.Next(3);
            }
        }

        static int HashCode(int seed, int a, int b, int c) => unchecked(((seed * 31 + a) * 31 + b) * 31 + c);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void All_ranks_may_send_much_at_once(FabricKind kind)
    {
        const int ranks = 3, length = 12 << 20; // more than sockets hold
        var world = Worlds.Of(ranks);
        var plan = new WindowPlan();
        var boxes = world.Ranks.Select(_ => plan.Reserve(length)).ToArray();
        var flags = plan.ReserveFlags(1);
        Ranks.Run(kind, world, plan, fabric =>
        {
            byte[] mine = new byte[length];
            Array.Fill(mine, (byte)(1 + fabric.Self.Value));
            foreach (var peer in world.Ranks) fabric.Put(peer, boxes[fabric.Self.Value], mine);
            foreach (var peer in world.Ranks) fabric.Notify(peer, flags[0], 1);
            foreach (var peer in world.Ranks)
            {
                fabric.Wait(peer, flags[0], 1);
                Assert.Equal(-1, fabric.Local(boxes[peer.Value]).IndexOfAnyExcept((byte)(1 + peer.Value)));
            }
            Assert.Equal((ranks - 1L) * length, fabric.BytesSent);
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Flags_of_different_ranks_and_numbers_do_not_touch(FabricKind kind)
    {
        const int ranks = 3, count = 20;
        var world = Worlds.Of(ranks);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(count);
        Ranks.Run(kind, world, plan, fabric =>
        {
            foreach (var peer in world.Ranks)
                for (int i = 0; i < count; i++) fabric.Notify(peer, flags[i], Value(fabric.Self, peer, i));
            foreach (var peer in world.Ranks)
                for (int i = 0; i < count; i++)
                {
                    Assert.Equal(Value(peer, fabric.Self, i), fabric.Wait(peer, flags[i], Value(peer, fabric.Self, i)));
                    Assert.Equal(Value(peer, fabric.Self, i), fabric.Peek(peer, flags[i]));
                }
        });

        static ulong Value(RankId source, RankId target, int flag) =>
            ulong.MaxValue / 2 + (ulong)(source.Value * 10_000 + target.Value * 100 + flag);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_wait_returns_the_value_it_saw_when_that_is_past_the_one_asked_for(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(2);
        Ranks.Run(kind, world, plan, fabric =>
        {
            var peer = world.Rank(1 - fabric.Self.Value);
            for (ulong value = 1; value <= 5; value++) fabric.Notify(peer, flags[0], value);
            fabric.Notify(peer, flags[1], 1);
            fabric.Wait(peer, flags[1], 1);
            Assert.Equal(5UL, fabric.Wait(peer, flags[0], 2));
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void A_mapped_window_is_the_peers_own(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var box = plan.Reserve(16);
        var flags = plan.ReserveFlags(1);
        Ranks.Run(kind, world, plan, fabric =>
        {
            var peer = world.Rank(1 - fabric.Self.Value);
            Assert.True(fabric.TryMap(fabric.Self, box, out var own));
            own.Fill((byte)(7 + fabric.Self.Value));
            fabric.Notify(peer, flags[0], 1);
            fabric.Wait(peer, flags[0], 1);
            bool direct = kind is FabricKind.InProcess or FabricKind.SharedMemory; // on mixed the two are on different hosts
            Assert.Equal(direct, fabric.TryMap(peer, box, out var theirs));
            if (direct) Assert.Equal(-1, theirs.IndexOfAnyExcept((byte)(7 + peer.Value)));
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Nothing_outside_the_plan_can_be_addressed(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var box = plan.Reserve(256);
        plan.ReserveFlags(3);
        Ranks.Run(kind, world, plan, fabric =>
        {
            foreach (var peer in world.Ranks)
            {
                foreach (var outside in (Region[])[new(0, 257), new(200, 57), new(-1, 1), new(257, 0), new(long.MaxValue, 1), new(0, -1)])
                {
                    byte[] bytes = new byte[Math.Clamp(outside.Length, 0, 300)];
                    Assert.Throws<ArgumentOutOfRangeException>(() => fabric.Put(peer, outside, bytes));
                    Assert.Throws<ArgumentOutOfRangeException>(() => fabric.Local(outside).Length);
                }
                Assert.Throws<ArgumentException>(() => fabric.Put(peer, box, new byte[255]));
                foreach (int flag in (int[])[-1, 3])
                {
                    Assert.Throws<ArgumentOutOfRangeException>(() => fabric.Notify(peer, flag, 1));
                    Assert.Throws<ArgumentOutOfRangeException>(() => fabric.Wait(peer, flag, 0));
                    Assert.Throws<ArgumentOutOfRangeException>(() => fabric.Peek(peer, flag));
                }
            }
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Moving_bytes_allocates_nothing(FabricKind kind)
    {
        const int warmUp = 50, rounds = 200;
        var world = Worlds.Of(3);
        var plan = new WindowPlan();
        var boxes = world.Ranks.Select(_ => plan.Reserve(100_000)).ToArray();
        var flags = plan.ReserveFlags(1);
        Ranks.Run(kind, world, plan, fabric =>
        {
            byte[] small = new byte[100], large = new byte[100_000];
            long before = 0;
            for (int round = 1; round <= warmUp + rounds; round++)
            {
                if (round == warmUp) before = GC.GetAllocatedBytesForCurrentThread();
                fabric.SetStatus(new StepPoint(new Epoch(1), new StepId(round), default, StepPhase.Dispatch));
                for (int i = 0; i < world.Size; i++)
                {
                    fabric.Put(world.Rank(i), boxes[fabric.Self.Value].Slice(0, small.Length), small);
                    fabric.Put(world.Rank(i), boxes[fabric.Self.Value], large);
                    fabric.Notify(world.Rank(i), flags[0], (ulong)round);
                }
                for (int i = 0; i < world.Size; i++) fabric.Wait(world.Rank(i), flags[0], (ulong)round);
            }
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        });
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Where_a_rank_is_can_be_read_by_its_peers(FabricKind kind)
    {
        var world = Worlds.Of(2);
        var plan = new WindowPlan();
        var flags = plan.ReserveFlags(2);
        Ranks.Run(kind, world, plan, fabric =>
        {
            var peer = world.Rank(1 - fabric.Self.Value);
            fabric.SetStatus(Point(fabric.Self));
            fabric.Notify(peer, flags[0], 1);
            fabric.Wait(peer, flags[0], 1);
            Assert.Equal(Point(peer), fabric.StatusOf(peer));
            Assert.Equal(Point(fabric.Self), fabric.StatusOf(fabric.Self));
            fabric.Notify(peer, flags[1], 1);
            fabric.Wait(peer, flags[1], 1);
        });

        static StepPoint Point(RankId rank) =>
            new(new Epoch(3), new StepId(1L << 33 | (uint)rank.Value), new LayerIndex(60), StepPhase.Ring);
    }

    [Theory]
    [MemberData(nameof(Worlds.Kinds), MemberType = typeof(Worlds))]
    public void Several_worlds_live_side_by_side(FabricKind kind)
    {
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, index =>
        {
            var world = Worlds.Of(2 + index % 2);
            var plan = new WindowPlan();
            var box = plan.Reserve(8);
            var flags = plan.ReserveFlags(1);
            Ranks.Run(kind, world, plan, fabric =>
            {
                var next = world.Rank((fabric.Self.Value + 1) % world.Size);
                var previous = world.Rank((fabric.Self.Value + world.Size - 1) % world.Size);
                fabric.Put(next, box, BitConverter.GetBytes((long)index));
                fabric.Notify(next, flags[0], 1);
                fabric.Wait(previous, flags[0], 1);
                Assert.Equal(index, BitConverter.ToInt64(fabric.Local(box)));
            });
        });
    }
}
