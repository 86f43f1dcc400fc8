using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Pipeline;

/// <summary>Whole rings of stages over every fabric, also where a send waits for its receive.</summary>
public sealed class StageLinkTests
{
    private const int Hidden = 8, Rows = 3, Steps = 30;

    public static TheoryData<FabricKind, int, int, bool> Rings
    {
        get
        {
            var data = new TheoryData<FabricKind, int, int, bool>();
            foreach (FabricKind kind in Enum.GetValues<FabricKind>())
                foreach ((int stages, int lanes) in ((int, int)[])[(2, 1), (2, 2), (3, 3), (4, 4), (3, 1), (5, 2)])
                    foreach (bool rendezvous in (bool[])[false, true])
                        data.Add(kind, stages, lanes, rendezvous);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Rings))]
    public void A_ring_of_stages_completes_and_every_row_passes_every_stage(FabricKind kind, int stages, int lanes, bool rendezvous)
    {
        var world = new World(new Layout(stages, 1, 1));
        var plan = new WindowPlan();
        StageLinkPlan reserved = StageLinkPlan.Reserve(plan, lanes, Rows, Hidden, Rows);
        int[] sums = new int[Steps];
        Testing.Ranks.Run(kind, world, plan, fabric => RunStage(fabric, new StageLink(fabric, reserved, rendezvous), stages, lanes, sums));
        // Each step starts with its number and every stage adds one; the last one's sum came back on the ring.
        Assert.Equal(Enumerable.Range(0, Steps).Select(s => s + stages), sums);
    }

    private static void RunStage(IFabric fabric, StageLink link, int stages, int lanes, int[] sums)
    {
        int stage = fabric.Self.Value;
        float[] rows = new float[Rows * Hidden];
        for (int s = 0; s < Steps; s++)
        {
            (StepId step, int lane) = (new StepId(s + 1), s % lanes);
            StepId after = s >= lanes ? new StepId(s + 1 - lanes) : default;
            if (stage == 0)
            {
                if (after.Value > 0) sums[after.Value - 1] = link.AwaitRing(after, lane)[0].Token;
                Array.Fill(rows, s);
            }
            else
            {
                link.Await(step, lane);
                link.Received(lane, Rows).CopyTo(rows);
            }
            for (int i = 0; i < rows.Length; i++) rows[i]++;
            StepId? next = s + 1 < Steps ? new StepId(s + 2) : null;
            StepId nextAfter = s + 1 >= lanes ? new StepId(s + 2 - lanes) : default;
            if (stage == stages - 1)
            {
                link.SendRing(step, lane, [new SlotToken(0, (int)rows[0])]);
                continue;
            }
            if (stage > 0 && PipelineSchedule.Order(stage, stages, step, next, nextAfter) == TransferOrder.ReceiveFirst)
                link.Await(next!.Value, (s + 1) % lanes);
            link.Announce(step, lane);
            link.Send(step, lane, rows);
        }
        for (int s = Math.Max(0, Steps - lanes); stage == 0 && s < Steps; s++)
            sums[s] = link.AwaitRing(new StepId(s + 1), s % lanes)[0].Token;
    }
}
