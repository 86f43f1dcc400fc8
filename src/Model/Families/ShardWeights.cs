using Troupe.Devices.All2All;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>How large the weights of a shard are, before anybody loads it.</summary>
public static class ShardWeights
{
    /// <summary>
    /// Bytes of all tensors that some shards of a model compute with, or of their parts of them; what several of them read, as a tied
    /// embedding, counts once. Asks <paramref name="source"/> for each and reads none of its values.
    /// </summary>
    /// <exception cref="ModelException">A tensor is missing or has another type or shape; the message names it.</exception>
    public static long Bytes(WeightSource source, ModelConfig config, params IEnumerable<ShardSpec> specs) =>
        Bytes(source, config, default, specs);

    /// <summary>The same with matrices kept in some form.</summary>
    public static long Bytes(WeightSource source, ModelConfig config, WeightForm form, IEnumerable<ShardSpec> specs)
    {
        var reader = new WeightReader(source, touch: false) { Form = form };
        foreach (ShardSpec spec in specs)
        {
            if (spec.Embedding) reader.Table(Parts.Embedding, config.VocabSize, config.HiddenSize, spec.Split.Vocabulary);
            for (int i = 0; i < spec.Layers; i++)
                KnownFamilies.Of(config).Layer(new LayerWeights(reader, config, spec, new LayerIndex(spec.First.Value + i)));
            if (!spec.Head) continue;
            reader.Vector(Parts.FinalNorm, config.HiddenSize);
            string head = config.TieWordEmbeddings ? Parts.Embedding : Parts.Head;
            reader.Outputs(head, config.VocabSize, config.HiddenSize, spec.Split.Vocabulary);
        }
        return reader.Bytes;
    }

    /// <summary>Bytes of a layer with so many routed experts, whole, as config.json says they are stored or as they are kept.</summary>
    public static long LayerBytes(ModelConfig config, LayerIndex layer, int experts, WeightForm form) =>
        Bytes(Outline(config), config, form, [One(config, layer, TensorSplit.Of(config, 0, 1), experts)]);

    /// <summary>Bytes of the output head and the last norm.</summary>
    public static long HeadBytes(ModelConfig config, WeightForm form) => Bytes(Outline(config), config, form,
        [new ShardSpec(default, 0, [], false, true, TensorSplit.Of(config, 0, 1))]);

    /// <summary>
    /// Values of a layer's tensors, or of the parts of them that a tensor rank has, with so many routed experts: what the start would read.
    /// </summary>
    public static long LayerValues(ModelConfig config, LayerIndex layer, TensorSplit split, int experts) =>
        Bytes(SyntheticWeights.Outline, config with { Quantized = QuantizedForm.None }, One(config, layer, split, experts))
        / sizeof(ushort);

    /// <summary>
    /// Names and shapes as asked for, of the type that config.json names (bf16 where it names none), without values: for
    /// <see cref="Bytes(WeightSource, ModelConfig, WeightForm, IEnumerable{ShardSpec})"/> where there is no checkpoint. Of fp8 models the
    /// projections are fp8.
    /// </summary>
    public static unsafe WeightSource Outline(ModelConfig config)
    {
        TensorDType type = TypeOf(config);
        return (name, shape) => new TensorView(name, SyntheticWeights.TypeOf(name, type, config.Quantized), shape.ToArray(), null);
    }

    /// <summary>The type that config.json names; bf16 where it names none.</summary>
    internal static TensorDType TypeOf(ModelConfig config) => config.DType switch
    {
        "float32" => TensorDType.F32,
        "float16" => TensorDType.F16,
        _ => TensorDType.BF16,
    };

    private static ShardSpec One(ModelConfig config, LayerIndex layer, TensorSplit split, int experts) =>
        new(layer, 1, [.. ExpertPlacement.Blocks(config.Experts, 1).Of(0).Take(experts)], false, false, split);
}
