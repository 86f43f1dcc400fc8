using Troupe.Actors.Pipeline;
using Troupe.Actors.Planning;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Planning;

public sealed class PipelineTimeTests
{
    private const int Rounds = 60;

    [Fact]
    public void A_prompt_takes_as_long_as_the_programs_of_its_schedule_do()
    {
        Random random = Seed.For(nameof(A_prompt_takes_as_long_as_the_programs_of_its_schedule_do));
        for (int round = 0; round < Rounds; round++)
        {
            double[] stages = Times(random);
            int chunks = random.Next(1, 13);
            // Chunks of one prompt depend on nothing that the ring brings.
            var shape = new PipelineShape(new Layout(stages.Length, 1, 1), chunks, chunks) { Rows = TransferMode.Eager, Ring = null };
            Assert.Equal(End(shape, stages), PipelineTime.Makespan(stages, chunks), 1e-9);
        }
    }

    [Fact]
    public void Steady_decode_takes_a_period_for_each_step_of_its_schedule()
    {
        Random random = Seed.For(nameof(Steady_decode_takes_a_period_for_each_step_of_its_schedule));
        for (int round = 0; round < Rounds; round++)
        {
            double[] stages = Times(random);
            int lanes = random.Next(1, stages.Length + 1), steps = 40 * lanes;
            PipelineShape Of(int count) =>
                new(new Layout(stages.Length, 1, 1), lanes, 0, count) { Rows = TransferMode.Eager, Ring = TransferMode.Eager };
            double period = (End(Of(2 * steps), stages) - End(Of(steps), stages)) / steps;
            Assert.Equal(PipelineTime.Period(stages, lanes), period, PipelineTime.Period(stages, lanes) * 1e-6);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 1)]
    [InlineData(4, 4)]
    [InlineData(9, 12)]
    public void Equal_stages_have_the_ideal_bubble(int stages, int chunks)
    {
        double[] times = [.. Enumerable.Repeat(3.5, stages)];
        Assert.Equal(PipelineTime.IdealBubble(stages, chunks), PipelineTime.Bubble(times, chunks), 1e-12);
        Assert.Equal(0, PipelineTime.DecodeBubble(times, stages), 1e-12);
    }

    private static double[] Times(Random random) => [.. Enumerable.Range(0, random.Next(1, 7)).Select(_ => 1 + (random.NextDouble() * 9))];

    /// <summary>When the last operation ends if computing takes a stage's time and nothing else takes any.</summary>
    private static double End(PipelineShape shape, double[] stages)
    {
        Schedule schedule = PipelineSchedule.Make(shape);
        var ended = new Dictionary<(int Stage, Operation Op), double>();
        var at = new int[stages.Length];
        var now = new double[stages.Length];
        for (bool moved = true; moved;)
        {
            moved = false;
            for (int stage = 0; stage < stages.Length; stage++)
            {
                for (; at[stage] < schedule.Programs[stage].Count; at[stage]++)
                {
                    Operation op = schedule.Programs[stage][at[stage]];
                    (int Stage, OperationKind Kind)? from = op.Kind switch
                    {
                        OperationKind.Receive => (stage - 1, OperationKind.Send),
                        OperationKind.AwaitRing => (stages.Length - 1, OperationKind.SendRing),
                        _ => null,
                    };
                    if (from is { } other)
                    {
                        if (!ended.TryGetValue((other.Stage, op with { Kind = other.Kind }), out double sent)) break;
                        now[stage] = Math.Max(now[stage], sent);
                    }
                    if (op.Kind == OperationKind.Compute) now[stage] += stages[stage];
                    ended[(stage, op)] = now[stage];
                    moved = true;
                }
            }
        }
        Assert.All(Enumerable.Range(0, stages.Length), stage => Assert.Equal(schedule.Programs[stage].Count, at[stage]));
        return now.Max();
    }
}
