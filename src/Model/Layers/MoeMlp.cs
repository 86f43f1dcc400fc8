using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>
/// Routed experts, spread over the expert-parallel group: each row goes to the ranks of its K experts and comes back as a weighted sum. A
/// rank without rows of its own still takes part and serves its experts. What needs nobody else runs while rows travel: the shared expert,
/// and in a step in two halves the experts over the other half. Each half has a window and flags of its own, and all ranks post and wait
/// in the same order, so neither half ever waits for what comes after it.
/// </summary>
/// <param name="router">[E, H]</param>
/// <param name="experts">The experts of this rank.</param>
/// <param name="rule">How experts are chosen.</param>
/// <param name="topK">K.</param>
/// <param name="shared">The expert of all rows; null where the family has none.</param>
internal sealed class MoeMlp(Projection router, ExpertWeights experts, RouteRule rule, int topK, SharedExpert? shared = null) : IFeedForward
{
    private readonly int _hidden = router.Weight.Columns, _experts = router.Weight.Rows;

    public bool OnOwnRows => true;

    public void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> output)
    {
        IAll2All all2All = context.All2All
            ?? throw new InvalidOperationException($"{layer} has routed experts: give the step a way to reach them");
        if (context.SecondHalf is { } second)
        {
            int half = (normed.Length / _hidden + 1) / 2 * _hidden; // a rank with rows has some in the first half
            Post(context, layer, all2All, normed[..half]);
            Post(context, layer, second, normed[half..]);
            shared?.Forward(context, layer, normed);
            RunExperts(context, layer, all2All);
            RunExperts(context, layer, second);
            context.Enter(layer, StepActivity.CombineReceive);
            all2All.WaitCombine(output[..half]);
            second.WaitCombine(output[half..]);
        }
        else
        {
            Post(context, layer, all2All, normed);
            shared?.Forward(context, layer, normed);
            RunExperts(context, layer, all2All);
            context.Enter(layer, StepActivity.CombineReceive);
            all2All.WaitCombine(output);
        }
        shared?.AddTo(context, layer, output);
    }

    /// <summary>Chooses the experts of some rows and sends the rows there. normed: [T, H].</summary>
    private void Post(LayerContext context, LayerIndex layer, IAll2All all2All, ReadOnlySpan<float> normed)
    {
        (IKernels kernels, Workspace room, int rows) = (context.Kernels, context.Room, normed.Length / _hidden);
        Span<float> logits = room.RouterLogits.Floats(rows * _experts);                                      // [T, E]
        Span<int> ids = room.ExpertIds.Ints(rows * topK);                                                       // [T, K]
        Span<float> weights = room.RoutingWeights.Floats(rows * topK);                                           // [T, K]

        context.Enter(layer, StepActivity.Route);
        router.Apply(kernels, normed, logits);
        kernels.Route(logits, rule, ids, weights);
        context.Load.Add(layer, ids);

        StepPoint dispatch = context.Enter(layer, StepActivity.DispatchPost);
        long sent = all2All.BytesToOthers;
        all2All.PostDispatch(dispatch, normed, ids, weights, rows, context.Leave && context.Verdict is null);
        context.Observer?.Note(all2All.BytesToOthers - sent);
    }

    /// <summary>Waits for the rows that come here, runs them through the local experts, and sends the partial sums back.</summary>
    private void RunExperts(LayerContext context, LayerIndex layer, IAll2All all2All)
    {
        context.Enter(layer, StepActivity.DispatchReceive);
        DispatchHandle handle = all2All.WaitDispatch();
        context.Verdict ??= handle.Verdict;
        for (int row = 0; row < handle.Rows;)
        {
            if (row > 0) context.Enter(layer, StepActivity.DispatchReceive);
            // A shadowed exchange brings each row twice: as many tiles as the room calls for.
            int end = Math.Min(handle.Await(row), row + context.Room.MaxReceived);
            RunTile(context, layer, handle, row, end);
            handle.Done(end);
            row = end;
        }
        long sent = all2All.BytesToOthers;
        all2All.PostCombine(context.Enter(layer, StepActivity.CombinePost), handle);
        context.Observer?.Note(all2All.BytesToOthers - sent);
    }

    /// <summary>
    /// The local experts over rows [first, end) of those that arrived: n of them. Where a strategy leaves rows or sums with their owner, to
    /// read and write them here is its transfer: it counts as dispatch and combine.
    /// </summary>
    private void RunTile(LayerContext context, LayerIndex layer, DispatchHandle handle, int first, int end)
    {
        (Workspace room, int rows) = (context.Room, end - first);
        Span<float> hidden = room.Arrived.Floats(rows * _hidden), partial = room.Partial.Floats(rows * _hidden); // [n, H]
        Span<int> ids = room.ArrivedIds.Ints(rows * topK);                                                                    // [n, K]
        Span<float> weights = room.ArrivedWeights.Floats(rows * topK);                                                        // [n, K]
        handle.Decode(first, end, hidden);
        handle.CopySlots(first, end, ids, weights);
        context.Enter(layer, StepActivity.Experts);
        room.Arrivals.Sort(ids, weights, topK);
        context.Observer?.Note(room.Arrivals.Pairs, room.Arrivals.Active.Length);
        context.Kernels.Experts(experts, room.Arrivals, hidden, room.Activation.Floats(room.Arrivals.Pairs * experts.Room), partial);
        context.Enter(layer, StepActivity.CombinePost);
        handle.Encode(first, end, partial);
    }
}
