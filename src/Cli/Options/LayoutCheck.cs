using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;

namespace Troupe.Cli.Options;

/// <summary>Refuses a layout that a model cannot have, with the arithmetic, before anything starts.</summary>
internal static class LayoutCheck
{
    /// <summary>What is wrong, in one line, or null.</summary>
    public static string? Problem(Layout layout, ModelConfig model)
    {
        if (layout.Stages > model.Layers)
            return $"--stages {layout.Stages}: the model has {model.Layers} layers and each stage needs at least one; use --stages 1 to "
                + $"{model.Layers}";
        if (layout.Tensor == 1) return null;
        if (model.Heads % layout.Tensor != 0 || model.KvHeads % layout.Tensor != 0)
            return $"--tensor {layout.Tensor}: heads must divide evenly, the model has {model.Heads} query heads ({model.Heads} mod "
                + $"{layout.Tensor} = "
                + $"{model.Heads % layout.Tensor}) and {model.KvHeads} key-value heads ({model.KvHeads} mod {layout.Tensor} = "
                    + $"{model.KvHeads % layout.Tensor})";
        return $"--tensor {layout.Tensor}: splitting layers over tensor ranks is not built yet; use --tensor 1, and --replicas or "
            + "--stages for more ranks";
    }
}
