using Troupe.Actors.Pipeline;
using Troupe.Actors.Ranks;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;
using Xunit;

namespace Troupe.Actors.Tests.Ranks;

/// <summary>When the next stage hears that rows are nearly made.</summary>
public sealed class HopNoticeTests
{
    private const int Lanes = 2, Lane = 1, Last = 5;
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(1);

    private static readonly StepActivity[] s_exchanged =
        [StepActivity.Attention, StepActivity.Experts, StepActivity.CombinePost, StepActivity.CombineReceive, StepActivity.Residual];

    private static readonly StepActivity[] s_dense = [StepActivity.Attention, StepActivity.FeedForward, StepActivity.Residual];

    [Theory]
    [InlineData(true, StepActivity.CombinePost)]
    [InlineData(false, StepActivity.Residual)]
    public void Rows_are_announced_when_only_the_end_of_the_last_layer_is_missing(bool moe, StepActivity from)
    {
        var plan = new WindowPlan();
        StageLinkPlan reserved = StageLinkPlan.Reserve(plan, Lanes, maxRows: 1, hidden: 1, maxTokens: 1);
        List<(StepId Step, int Layer, StepActivity Activity)> points = [.. from step in (long[])[7, 8]
            from layer in (int[])[Last - 1, Last]
            from activity in moe ? s_exchanged : s_dense
            select (new StepId(step), layer, activity)];
        var passedOn = new Points();
        ulong[] heard = new ulong[points.Count];
        using var turn = new Barrier(2);
        Testing.Ranks.Run(FabricKind.InProcess, new World(new Layout(2, 1, 1)), plan, fabric =>
        {
            var notice = new HopNotice(passedOn, new StageLink(fabric, reserved), new LayerIndex(Last));
            foreach ((int at, (StepId step, int layer, StepActivity activity)) in points.Index())
            {
                if (fabric.Self.Value == 0)
                    notice.Of(step, Lane).At(new StepPoint(default, step, new LayerIndex(layer), activity.Phase()), activity);
                Assert.True(turn.SignalAndWait(s_deadline));
                if (fabric.Self.Value == 1) heard[at] = fabric.Peek(fabric.World.Rank(0), reserved.Soon[Lane]);
                Assert.True(turn.SignalAndWait(s_deadline));
            }
        });
        int first = Array.IndexOf(moe ? s_exchanged : s_dense, from) + (points.Count / 4), second = first + (points.Count / 2);
        Assert.Equal(points.Select((_, at) => at < first ? 0ul : at < second ? 7ul : 8ul), heard);
        Assert.Equal(points.Select(p => p.Activity), passedOn.Seen);
    }

    private sealed class Points : IStepObserver
    {
        public List<StepActivity> Seen { get; } = [];

        public void At(StepPoint point, StepActivity activity) => Seen.Add(activity);

        public void Note(long amount, int detail = 0) => throw new NotSupportedException();
    }
}
