using System.Text;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>A rank that is stuck in its program, and what it waits for.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="At">Where it is stuck: everything before this is done.</param>
/// <param name="On">The rank it waits for; itself, for data that it has not made yet.</param>
/// <param name="Until">What that rank has to come to.</param>
/// <param name="Never">That rank's program does not have it.</param>
public sealed record ScheduleWait(RankId Rank, Operation At, RankId On, Operation Until, bool Never);

/// <summary>How a schedule ends in waiting: where each rank is stuck then, and a cycle among them.</summary>
/// <param name="World">The ranks.</param>
/// <param name="Stuck">Every rank that does not come to its program's end, in rank order.</param>
/// <param name="Cycle">Those that wait for each other, each for the next and the last for the first; or one alone that waits for what
/// never comes.</param>
public sealed record ScheduleDeadlock(World World, IReadOnlyList<ScheduleWait> Stuck, IReadOnlyList<ScheduleWait> Cycle)
{
    /// <summary>
    /// The cycle in one line: <c>stage 0 sends step 2 -> stage 1 receives step 2 after it returns the tokens of step 1 -> ...</c>.
    /// </summary>
    public override string ToString()
    {
        var text = new StringBuilder($"{Name(Cycle[0].Rank)} {Cycle[0].At}");
        for (int i = 0; i < Cycle.Count; i++)
        {
            (ScheduleWait wait, Operation at) = (Cycle[i], Cycle[(i + 1) % Cycle.Count].At);
            text.Append(" -> ").Append(Name(wait.On)).Append(' ');
            if (wait.Never) text.Append("never ");
            text.Append(wait.Until);
            if (!wait.Never && at != wait.Until) text.Append(" after it ").Append(at);
        }
        return text.ToString();
    }

    private string Name(RankId rank)
    {
        int stage = World.Place(rank).Stage;
        return World.Layout.Replicas * World.Layout.Tensor == 1 ? $"stage {stage}" : $"{rank} (stage {stage})";
    }
}
