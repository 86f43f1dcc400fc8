using Troupe.Actors.Configuration;
using Troupe.Devices.All2All;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Actors.Hosting;

/// <summary>Refuses what a model cannot be run with, with the arithmetic, before anything starts.</summary>
public static class LayoutCheck
{
    /// <summary>What is wrong with a layout and a split given by hand for this model, in one line that says what to do, or null.</summary>
    public static string? Problem(Layout layout, LayerSplit? split, ModelConfig model)
    {
        if (layout.Problem() is { } problem) return problem;
        if (layout.Stages > model.Layers)
            return $"--stages {layout.Stages}: the model has {model.Layers} layers and each stage needs at least one; use --stages 1 to "
                + $"{model.Layers}";
        if (split?.Problem(model.Layers, layout.Stages) is { } wrong) return wrong;
        return TensorSplit.Problem(model, layout.Tensor) is { } heads ? $"--tensor {layout.Tensor}: {heads}" : null;
    }

    /// <summary>The same of all options together.</summary>
    public static string? Problem(TroupeOptions options, ModelConfig model) =>
        Problem(options.Layout, options.Split, model) ?? Sizes(options);

    /// <summary>What is wrong with the numbers beside the layout.</summary>
    public static string? Sizes(TroupeOptions options)
    {
        (int stages, SchedulerOptions scheduler) = (options.Layout.Stages, options.Scheduler);
        if (scheduler.MaxRunning < stages)
            return $"troupe.scheduler.max-running is {scheduler.MaxRunning}, but {stages} stages keep as many micro-batches in flight; set "
                + $"it to {stages} or more";
        if (scheduler.BlockSize % KvBlocks.Group != 0)
            return $"troupe.scheduler.block-size must be a multiple of {KvBlocks.Group}, got {scheduler.BlockSize}; use "
                + $"{(scheduler.BlockSize / KvBlocks.Group + 1) * KvBlocks.Group}";
        int rows = Math.Max(scheduler.PrefillChunk, scheduler.MaxRunning / stages);
        return rows <= All2AllShape.MostTokens ? null : $"troupe.scheduler: a step may have {All2AllShape.MostTokens} rows, got {rows}: "
            + "use a smaller prefill-chunk or max-running";
    }
}
