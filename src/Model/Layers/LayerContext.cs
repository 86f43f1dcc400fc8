using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Kernels;
using Troupe.Devices.Topology;
using Troupe.Model.Cache;

namespace Troupe.Model.Layers;

/// <summary>What every layer of a shard works with; the fields of the current step are set when it starts.</summary>
internal sealed class LayerContext(IKernels kernels, Workspace room, PagedKvCache cache, ExpertLoad load, LayerIndex first)
{
    public IKernels Kernels { get; } = kernels;

    public Workspace Room { get; } = room;

    public PagedKvCache Cache { get; } = cache;

    public ExpertLoad Load { get; } = load;

    /// <summary>The first layer of the stage: where the cache counts from.</summary>
    public LayerIndex First { get; } = first;

    /// <summary>The other ranks that share the replica's layers; set before the first step.</summary>
    public TensorRanks Tensor { get; set; } = null!;

    public StepRows Rows { get; set; } = null!;

    public IAll2All? All2All { get; set; }

    /// <summary>How the second half of the rows reaches the experts; null where a step is not cut in halves.</summary>
    public IAll2All? SecondHalf { get; set; }

    public IStepObserver? Observer { get; set; }

    /// <summary>Whether this rank asks the group to leave its lease, with the stage's first dispatch.</summary>
    public bool Leave { get; set; }

    /// <summary>What the headers of the stage's first dispatch came to; null until then.</summary>
    public StepVerdict? Verdict { get; set; }

    public Epoch Epoch { get; set; }

    public StepId Step { get; set; }

    /// <summary>
    /// Sums up values of [T, width] over the tensor ranks: all rows on all of them, or on each rank its <paramref name="own"/>.
    /// </summary>
    /// <returns>The rows that have their sums here.</returns>
    public Part SumUp(LayerIndex layer, Span<float> values, int width, bool own)
    {
        int rows = values.Length / width;
        if (Tensor.Alone) return new Part(0, rows);
        Enter(layer, StepActivity.TensorSum);
        if (own) Tensor.SumOwn(values, width);
        else Tensor.Sum(values);
        return own ? Tensor.OwnRows(rows) : new Part(0, rows);
    }

    /// <summary>Gets the rows that the other tensor ranks worked on.</summary>
    public void Gather(LayerIndex layer, Span<float> values, int width)
    {
        if (Tensor.Alone) return;
        Enter(layer, StepActivity.TensorGather);
        Tensor.Gather(values, width);
    }

    /// <summary>Tells the observer that an activity in a layer begins.</summary>
    public StepPoint Enter(LayerIndex layer, StepActivity activity)
    {
        var point = new StepPoint(Epoch, Step, layer, activity.Phase());
        Observer?.At(point, activity);
        return point;
    }
}
