using Troupe.Actors.Protocols;
using Troupe.Actors.Ranks;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.RankSteps;

/// <summary>What only the first tensor rank of a replica knows reaches the others, in step.</summary>
public sealed class TensorLinkTests
{
    private const int Tensor = 3, Slots = 5;

    [Fact]
    public void Rows_and_tokens_of_the_first_rank_reach_all_others_of_its_replica()
    {
        var world = new World(new Layout(1, 2, Tensor));
        var plan = new WindowPlan();
        CommunicatorPlan reserved = CommunicatorPlan.Reserve(plan, TensorLink.Shape(Tensor, 0, Slots));
        Testing.Ranks.Run(FabricKind.InProcess, world, plan, fabric =>
        {
            (TensorLink link, int replica) = (Link(fabric, reserved), world.Place(fabric.Self).Replica);
            Assert.Equal(world.Place(fabric.Self).Tensor == 0, link.Leads);
            // From no row to one of each slot and back, over more steps than a message has room for.
            for (int i = 0; i < 4 * Slots; i++)
            {
                (StepId step, int count) = (new StepId(7 + i), i % (Slots + 1));
                int[] slots = [.. Enumerable.Range(replica, count)];
                if (link.Leads) link.TellRows(step, slots);
                else Assert.Equal(slots, link.HearRows(step).ToArray());

                SlotToken[] drawn = [.. slots.Select(slot => new SlotToken(slot, 100 * i + slot, TokenEnd.Length))];
                SlotToken[] tokens = link.Leads ? drawn : [.. slots.Select(slot => new SlotToken(slot, 0))];
                link.ShareTokens(tokens);
                Assert.Equal(drawn, tokens);
            }
        });
    }

    [Fact]
    public void A_first_rank_that_is_at_another_step_ends_the_epoch_with_both_steps_named()
    {
        var world = new World(new Layout(1, 1, 2));
        var plan = new WindowPlan();
        CommunicatorPlan reserved = CommunicatorPlan.Reserve(plan, TensorLink.Shape(2, 0, Slots));
        IReadOnlyList<Exception?> outcomes = Testing.Ranks.Outcomes(FabricKind.InProcess, world, plan, fabric =>
        {
            TensorLink link = Link(fabric, reserved);
            if (link.Leads) link.TellRows(new StepId(8), [1]);
            else link.HearRows(new StepId(9));
        });
        var error = Assert.IsType<FabricException>(outcomes[1]);
        Assert.Equal(world.Rank(0), error.Culprit);
        Assert.Contains("told its tensor ranks the rows of step 8 where rank 1 is at step 9", error.Message, StringComparison.Ordinal);
    }

    private static TensorLink Link(IFabric fabric, CommunicatorPlan plan)
    {
        RankPlace place = fabric.World.Place(fabric.Self);
        return new TensorLink(fabric, new Communicator(fabric, fabric.World.TensorRanks(place.Stage, place.Replica), plan), Slots);
    }
}
