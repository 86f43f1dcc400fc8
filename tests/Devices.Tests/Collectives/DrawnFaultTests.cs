using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Fabric.Faults;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Collectives;

/// <summary>Whatever goes wrong on the fabric below: collectives end with right values or with an error that names a rank.</summary>
public sealed class DrawnFaultTests
{
    private const int Worlds = 40, Rounds = 4, MaxValues = 600;
    private static readonly FabricOptions Impatient = Ranks.Options with { WaitDeadline = TimeSpan.FromMilliseconds(150) };

    [Theory]
    [MemberData(nameof(Tests.Worlds.Kinds), MemberType = typeof(Tests.Worlds))]
    public void Drawn_faults_end_in_right_values_or_in_an_error_that_names_a_rank(FabricKind kind)
    {
        var random = Seed.For($"{nameof(Drawn_faults_end_in_right_values_or_in_an_error_that_names_a_rank)} over {kind}");
        int good = 0, named = 0;
        for (int i = 0; i < Worlds; i++)
        {
            var (whole, failed) = RunOne(kind, ranks: random.Next(2, 5), random.Next());
            good += whole;
            named += failed;
        }
        Assert.True(good > 0 && named > 0, $"{good} ranks ended well and {named} with an error: both must be tried");
    }

    [Fact]
    public void The_same_seed_draws_the_same_plan()
    {
        var world = Tests.Worlds.Of(4);
        string Drawn(int seed) => FaultPlan.Draw(seed, world, world.Rank(1), 50, TimeSpan.FromMilliseconds(3)).ToString();
        var seen = new HashSet<string>();
        for (int seed = 0; seed < 200; seed++)
        {
            Assert.Equal(Drawn(seed), Drawn(seed));
            seen.Add(Drawn(seed));
        }
        Assert.True(seen.Count > 150);
        foreach (string fault in (string[])["Delay ", "DelayFor", "Reorder", "Drop", "Duplicate", "Truncate", "Kill", "Hang", "Slow"])
            Assert.Contains(seen, text => text.Contains(fault, StringComparison.Ordinal));
    }

    /// <summary>One world with faults on one or two of its ranks. How many ranks ended well, and how many with an error.</summary>
    private static (int Good, int Named) RunOne(FabricKind kind, int ranks, int seed)
    {
        var world = Tests.Worlds.Of(ranks);
        var random = new Random(seed);
        FaultPlan[] plans = [.. world.Ranks.Select(rank => random.Next(2) == 0 && rank.Value != seed % ranks
            ? new FaultPlan()
            : FaultPlan.Draw(random.Next(), world, rank, 60, TimeSpan.FromMilliseconds(5)))];
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, new CommunicatorShape(ranks)
        {
            CollectiveBytes = ranks * MaxValues * sizeof(float),
            MessageBytes = MaxValues * sizeof(float),
            Senders = Senders.Previous,
        });
        var outcomes = Ranks.Outcomes(kind, world, plan, inner =>
        {
            using var fabric = new FaultyFabric(inner, plans[inner.Self.Value], Impatient);
            try
            {
                var comm = new Communicator(fabric, world.All, reserved);
                for (int round = 0; round < Rounds; round++)
                {
                    fabric.SetStatus(new StepPoint(new Epoch(1), new StepId(1 + round), default, StepPhase.Dispatch));
                    CallAll(comm, ranks, round);
                }
            }
            catch (FabricException ended)
            {
                fabric.Abort(ended.Culprit, ended.Reason); // as the runtime does
                throw;
            }
        }, Impatient);
        string story = $"seed {seed} over {kind}: {string.Join(" | ", plans.Select((p, rank) => $"rank {rank}: {p}"))}";
        foreach (var outcome in outcomes)
            Assert.True(outcome is null or FabricException { Culprit: not null }, $"{story}\n{outcome}");
        return (outcomes.Count(outcome => outcome is null), outcomes.Count(outcome => outcome is not null));
    }

    /// <summary>Every call of a communicator once; throws when a value is wrong.</summary>
    private static void CallAll(ICommunicator comm, int ranks, int round)
    {
        int[] counts = [.. Enumerable.Range(0, ranks).Select(member => (member * 37 + round * 11) % 4 * 50)];
        float[] all = new float[counts.Sum()];
        int[] got = new int[ranks];
        comm.AllGatherV<float>(Values(comm.Position, counts[comm.Position], round), all, got);
        Assert.Equal(counts, got);
        Assert.Equal(Enumerable.Range(0, ranks).SelectMany(member => Values(member, counts[member], round)), all);

        float[] mine = new float[counts[comm.Position]];
        comm.ReduceScatterV(Values(comm.Position, counts.Sum(), round), counts, mine);
        Assert.Equal(Sum(ranks, counts.Sum(), round)[counts[..comm.Position].Sum()..][..mine.Length], mine);

        float[] sums = Values(comm.Position, 300, round);
        comm.AllReduce(sums);
        Assert.Equal(Sum(ranks, 300, round), sums);

        float[] told = comm.Position == round % ranks ? Values(comm.Position, 120, round) : new float[120];
        comm.Broadcast<float>(comm.Group[round % ranks], told);
        Assert.Equal(Values(round % ranks, 120, round), told);

        float[] message = new float[MaxValues];
        comm.Send<int, float>(comm.Group[(comm.Position + 1) % ranks], round, Values(comm.Position, 77, round));
        int previous = (comm.Position + ranks - 1) % ranks;
        Assert.Equal(77, comm.Receive(comm.Group[previous], out int header, message));
        Assert.Equal(round, header);
        Assert.Equal(Values(previous, 77, round), message[..77]);
        comm.Barrier();
    }

    private static float[] Values(int member, int count, int round) =>
        [.. Enumerable.Range(0, count).Select(i => (member + 1) * (round + 1) + i / 8f)];

    private static float[] Sum(int ranks, int count, int round)
    {
        float[] sum = new float[count];
        for (int member = 0; member < ranks; member++)
        {
            float[] part = Values(member, count, round);
            for (int i = 0; i < count; i++) sum[i] += part[i];
        }
        return sum;
    }
}
