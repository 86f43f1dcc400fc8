using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Kernels;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Model.Layers;

/// <summary>
/// Routed experts, spread over the expert-parallel group: each row goes to the ranks of its K experts and comes back as a weighted sum. A
/// rank without rows of its own still takes part and serves its experts.
/// </summary>
/// <param name="router">[E, H]</param>
/// <param name="experts">The experts of this rank.</param>
/// <param name="topK">K.</param>
/// <param name="normalize">Whether a row's K weights are scaled to sum to 1.</param>
internal sealed class MoeMlp(Weight router, ExpertWeights experts, int topK, bool normalize) : IFeedForward
{
    public void Forward(LayerContext context, LayerIndex layer, ReadOnlySpan<float> normed, Span<float> output)
    {
        (IKernels kernels, Workspace room, int rows) = (context.Kernels, context.Room, context.Rows.Count);
        IAll2All all2All = context.All2All
            ?? throw new InvalidOperationException($"{layer} has routed experts: give the step a way to reach them");
        Span<float> logits = room.RouterLogits.Floats(rows * router.Rows);                                      // [T, E]
        Span<int> ids = room.ExpertIds.Ints(rows * topK);                                                       // [T, K]
        Span<float> weights = room.ExpertWeights.Floats(rows * topK);                                           // [T, K]

        context.Enter(layer, StepPhase.Route);
        kernels.Linear(normed, router, logits);
        kernels.Route(logits, router.Rows, normalize, ids, weights);
        context.Load.Add(layer, ids);

        DispatchHandle handle = all2All.Dispatch(context.Enter(layer, StepPhase.Dispatch), normed, ids, weights, rows);

        if (handle.Rows > room.MaxReceived)
            throw new InvalidOperationException(
                $"{layer}: {handle.Rows} rows arrived, room for {room.MaxReceived}; was the shard made for this group?");
        context.Enter(layer, StepPhase.Experts);
        Span<float> partial = room.Partial.Floats(handle.Rows * router.Columns);                                // [N, H]
        room.Arrivals.Sort(handle.Experts, handle.Weights, topK);
        kernels.Experts(experts, room.Arrivals, handle.Hidden, room.Activation.Floats(room.Arrivals.Pairs * experts.Inner), partial);

        all2All.Combine(context.Enter(layer, StepPhase.Combine), handle, partial, output);
    }
}
