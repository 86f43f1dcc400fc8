using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;

namespace Troupe.Actors.Planning;

/// <summary>
/// The parameters that are active for one token, by part of the model: what decoding has to read and multiply. Bounds of speed by memory
/// follow from it, and the layers of a pipeline are balanced by it.
/// <para>As a measure of a stage's time it leaves out: attention over the context (which grows with it), the exchange with other ranks,
/// that a batch reads an expert's weights once for all its rows, and how well each kernel does. Where that matters, measure and split by a
/// <see cref="LayerProfile"/> or by hand.</para>
/// </summary>
public static class ActiveWeights
{
    /// <summary>
    /// Values that a layer reads for one token: attention, the router, K experts and the shared one (or the dense feed-forward), and all
    /// norms and biases. Counted by putting the layer together as the start does, so that no family is counted otherwise.
    /// </summary>
    public static long Layer(ModelConfig model, LayerIndex layer) =>
        Layer(model, layer, TensorSplit.Of(model, 0, 1), model.ExpertsPerToken);

    /// <summary>The same of a tensor rank's part, with so many routed experts.</summary>
    public static long Layer(ModelConfig model, LayerIndex layer, TensorSplit split, int experts) =>
        ShardWeights.LayerValues(model, layer, split, experts);

    /// <summary>Values of one routed expert; 0 without.</summary>
    public static long Expert(ModelConfig model)
    {
        TensorSplit whole = TensorSplit.Of(model, 0, 1);
        return OfExpert(model, (layer, experts) => Layer(model, layer, whole, experts));
    }

    /// <summary>Values that the output head reads, with the last norm: V x H, as much as several layers in a small model.</summary>
    public static long Head(ModelConfig model) => ((long)model.VocabSize * model.HiddenSize) + model.HiddenSize;

    /// <summary>Values that the embedding reads: one row.</summary>
    public static long Embedding(ModelConfig model) => model.HiddenSize;

    /// <summary>Values read for one token in the whole model.</summary>
    public static long Values(ModelConfig model) =>
        Head(model) + Embedding(model) + Enumerable.Range(0, model.Layers).Sum(layer => Layer(model, new LayerIndex(layer)));

    /// <summary>
    /// The same in bytes: as config.json says that weights are stored (bf16 where it says nothing), or kept in some form.
    /// </summary>
    public static long Bytes(ModelConfig model, WeightForm form) => BytesWithoutExperts(model, form)
        + (Enumerable.Range(0, model.Layers).Count(model.IsMoeLayer) * model.ExpertsPerToken * BytesOfExpert(model, form));

    /// <summary>Bytes of a routed expert; 0 without.</summary>
    public static long BytesOfExpert(ModelConfig model, WeightForm form) =>
        OfExpert(model, (layer, experts) => ShardWeights.LayerBytes(model, layer, experts, form));

    /// <summary>What is read besides the routed experts, for one token or for several at once.</summary>
    public static long BytesWithoutExperts(ModelConfig model, WeightForm form) => ShardWeights.HeadBytes(model, form)
        + (Embedding(model) * ValueBytes(model))
        + Enumerable.Range(0, model.Layers).Sum(layer => ShardWeights.LayerBytes(model, new LayerIndex(layer), 0, form));

    /// <summary>Bytes of a value by the type that config.json names.</summary>
    public static int ValueBytes(ModelConfig model) => model.DType is "float32" ? 4 : 2;

    /// <summary>The values of a stage's layers, with the embedding in the first stage and the head in the last.</summary>
    public static long Stage(ModelConfig model, LayerSplit split, int stage) =>
        split.Of(stage).Sum(layer => Layer(model, layer)) + (stage == 0 ? Embedding(model) : 0)
        + (stage == split.Stages - 1 ? Head(model) : 0);

    /// <summary>The layers of each stage such that the stage with most active parameters has as few as possible.</summary>
    public static LayerSplit Split(ModelConfig model, int stages) =>
        LayerSplit.Balanced([.. Enumerable.Range(0, model.Layers).Select(layer => Layer(model, new LayerIndex(layer)))],
            Embedding(model), Head(model), stages);

    // What one expert adds to the first layer that has some.
    private static long OfExpert(ModelConfig model, Func<LayerIndex, int, long> layer)
    {
        foreach (int index in Enumerable.Range(0, model.Layers).Where(model.IsMoeLayer))
            return layer(new LayerIndex(index), 1) - layer(new LayerIndex(index), 0);
        return 0;
    }
}
