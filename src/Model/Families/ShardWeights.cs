using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>How large the weights of a shard are, before anybody loads it.</summary>
public static class ShardWeights
{
    /// <summary>
    /// Bytes of all tensors that a shard computes with, or of its parts of them, a tied embedding once. Asks <paramref name="source"/> for
    /// each and reads none of its values.
    /// </summary>
    /// <exception cref="ModelException">A tensor is missing or has another type or shape; the message names it.</exception>
    public static long Bytes(WeightSource source, ModelConfig config, ShardSpec spec)
    {
        var reader = new WeightReader(source, touch: false);
        if (spec.Embedding) reader.Outputs(Parts.Embedding, config.VocabSize, config.HiddenSize, spec.Split.Vocabulary);
        for (int i = 0; i < spec.Layers; i++) Family.Of(config).Layer(reader, config, spec, new LayerIndex(spec.First.Value + i));
        if (spec.Head)
        {
            reader.Vector(Parts.FinalNorm, config.HiddenSize);
            string head = config.TieWordEmbeddings ? Parts.Embedding : Parts.Head;
            reader.Outputs(head, config.VocabSize, config.HiddenSize, spec.Split.Vocabulary);
        }
        return reader.Bytes;
    }
}
