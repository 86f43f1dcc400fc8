using System.Text;
using System.Text.Json.Nodes;
using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tests.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Families;

/// <summary>Options that the goldens leave at their defaults, with random weights, against the <see cref="Oracle"/>.</summary>
public sealed class FamilyOptionsTests
{
    private static readonly int[] s_prompt = [7, 300, 21, 21, 5, 99, 140, 3, 250, 77, 12, 180, 64, 8, 301, 44, 19, 260, 33, 90, 115, 2];

    [Theory]
    [InlineData("llama", """{"attention_bias": true, "mlp_bias": true, "head_dim": 24}""")]
    [InlineData("llama", """{"rope_scaling": {"type": "linear", "factor": 3.0}, "num_key_value_heads": 1}""")]
    [InlineData("llama31-rope", """{"rope_theta": 100.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,"""
        + """ "high_freq_factor": 4.0, "original_max_position_embeddings": 24}}""")]
    [InlineData("llama", """{"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "attention_factor": 1.3, "beta_fast": 4,"""
        + """ "original_max_position_embeddings": 16}}""")]
    [InlineData("qwen3", """{"attention_bias": true, "rope_scaling": {"rope_type": "yarn", "factor": 4.0,"""
        + """ "original_max_position_embeddings": 128}}""")]
    [InlineData("qwen2-moe", """{"qkv_bias": false, "norm_topk_prob": true, "decoder_sparse_step": 2, "num_experts_per_tok": 5}""")]
    [InlineData("mixtral", """{"sliding_window": 5, "num_experts_per_tok": 3}""")]
    [InlineData("olmoe", """{"clip_qkv": 0.4, "norm_topk_prob": true, "attention_bias": true, "num_key_value_heads": 2}""")]
    [InlineData("deepseek-v2-lite", """{"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2, "q_lora_rank": 24,"""
        + """ "routed_scaling_factor": 1.7, "attention_bias": true, "mlp_bias": true, "n_shared_experts": 1,"""
        + """ "first_k_dense_replace": 2}""")]
    [InlineData("deepseek-v2-lite", """{"num_attention_heads": 6, "num_key_value_heads": 6, "v_head_dim": 10, "kv_lora_rank": 21,"""
        + """ "rope_scaling": {"type": "yarn", "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707, "beta_fast": 32, "beta_slow": 1,"""
        + """ "original_max_position_embeddings": 64}}""")]
    [InlineData("deepseek-v3", """{"n_group": 2, "topk_group": 1, "norm_topk_prob": false, "rope_interleave": false, "q_lora_rank": null,"""
        + """ "num_experts_per_tok": 7}""")]
    [InlineData("deepseek-v3", """{"rope_scaling": {"type": "yarn", "factor": 40, "mscale": 1.0, "mscale_all_dim": 0.5,"""
        + """ "original_max_position_embeddings": 32}, "attention_bias": true, "qk_rope_head_dim": 8, "first_k_dense_replace": 0}""")]
    [InlineData("glm4-moe", """{"partial_rotary_factor": 0.25, "head_dim": 32, "attention_bias": true, "use_qk_norm": false,"""
        + """ "n_group": 4, "topk_group": 2, "n_shared_experts": 2}""")]
    [InlineData("gpt-oss", """{"swiglu_limit": 0.3, "swiglu_alpha": 1.3, "sliding_window": 3, "layer_types": null,"""
        + """ "num_experts_per_tok": 4}""")]
    [InlineData("gpt-oss", """{"attention_bias": false, "intermediate_size": 37, "rope_scaling": {"rope_type": "yarn", "factor": 8.0,"""
        + """ "original_max_position_embeddings": 32, "truncate": false}}""")]
    public void A_model_with_other_options_agrees_with_the_formulas(string model, string options)
    {
        JsonObject json = Config(model, options);
        ModelConfig config = ModelConfig.Parse("config.json", Encoding.UTF8.GetBytes(json.ToJsonString()));
        using var weights = new RandomTensors(json["num_hidden_layers"]!.GetValue<int>());
        double[][] wanted = new Oracle(json, weights.Values).Logits(s_prompt);
        using (var reference = new TestCluster(weights.Get, config, TestCluster.Reference)) Compare(reference, wanted);
        using (var cpu = new TestCluster(weights.Get, config, TestCluster.Cpu, stages: 2, members: 2)) Compare(cpu, wanted);
        using var split = new TestCluster(weights.Get, config, TestCluster.Cpu, tensor: 2);
        Compare(split, wanted);
    }

    [Theory]
    [InlineData("llama", TensorDType.F16)]
    [InlineData("qwen2-moe", TensorDType.F16)]
    [InlineData("deepseek-v3", TensorDType.F16)]
    [InlineData("deepseek-v3", TensorDType.BF16)]
    [InlineData("gpt-oss", TensorDType.F16)]
    [InlineData("gpt-oss", TensorDType.BF16)]
    public void Weights_of_every_plain_type_are_read_as_they_are_stored(string model, TensorDType type)
    {
        JsonObject json = Config(model, "{}");
        ModelConfig config = ModelConfig.Parse("config.json", Encoding.UTF8.GetBytes(json.ToJsonString()));
        using var weights = new RandomTensors(config.Layers, type);
        using var cluster = new TestCluster(weights.Get, config, TestCluster.CpuTwoThreads);
        Compare(cluster, new Oracle(json, weights.Values).Logits(s_prompt));
    }

    [Fact]
    public void Experts_in_one_tensor_are_the_same_as_experts_in_many()
    {
        JsonObject json = Config("olmoe", "{}");
        ModelConfig config = ModelConfig.Parse("config.json", Encoding.UTF8.GetBytes(json.ToJsonString()));
        using var weights = new RandomTensors(config.Layers);
        (int inner, int hidden) = (config.MoeIntermediateSize, config.HiddenSize);
        using var cluster = new TestCluster(Fused, config, TestCluster.Cpu, members: 2);
        Compare(cluster, new Oracle(json, weights.Values).Logits(s_prompt));

        TensorView Fused(string name, params ReadOnlySpan<int> shape)
        {
            if (name.Contains(".experts.") && name.EndsWith(".weight")) throw new ModelException($"no tensor {name}");
            if (!name.Contains(".experts.")) return weights.Get(name, shape);
            string at = name[..name.LastIndexOf('.')];
            float[] One(int e, string part, int rows, int columns) => weights.Values($"{at}.{e}.{part}.weight", [rows, columns]);
            return weights.Add(name, shape, [.. Enumerable.Range(0, config.Experts).SelectMany(e => name.EndsWith("gate_up_proj")
                ? [.. One(e, "gate_proj", inner, hidden), .. One(e, "up_proj", inner, hidden)] : One(e, "down_proj", hidden, inner))]);
        }
    }

    private static JsonObject Config(string model, string options)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Folder(model), "config.json")))!.AsObject();
        foreach ((string key, JsonNode? value) in JsonNode.Parse(options)!.AsObject()) json[key] = value?.DeepClone();
        return json;
    }

    private static void Compare(TestCluster cluster, double[][] wanted)
    {
        cluster.Place(1, s_prompt.Length);
        List<float[]> got = cluster.Feed(s_prompt, slot: 1, chunk: 9);
        for (int row = 0; row < wanted.Length; row++)
            for (int v = 0; v < wanted[row].Length; v++) Assert.Equal(wanted[row][v], got[row][v], 1e-3 * (1 + Math.Abs(wanted[row][v])));
    }

    /// <summary>Random tensors of any name and shape; norms near 1, biases that matter, and routers that leave few ties.</summary>
    private sealed class RandomTensors(int layers, TensorDType type = TensorDType.F32) : IDisposable
    {
        private readonly Random _random = Seed.For($"{nameof(FamilyOptionsTests)} {layers}");
        private readonly Dictionary<string, (TensorView View, NativeBuffer Memory)> _made = [];

        public TensorView Get(string name, params ReadOnlySpan<int> shape)
        {
            if (_made.TryGetValue(name, out var made)) return made.View;
            int count = 1;
            foreach (int size in shape) count *= size;
            bool norm = name.Contains("norm.weight"), bias = name.Contains("bias") || name.EndsWith("sinks");
            float scale = norm ? 0.3f : bias ? 0.4f : MathF.Sqrt(3f / shape[^1]) * (name.Contains("gate.weight") ? 2 : 1);
            return Add(name, shape, [.. Enumerable.Range(0, count).Select(_ => (norm ? 1 : 0) + scale * (_random.NextSingle() * 2 - 1))]);
        }

        public unsafe TensorView Add(string name, ReadOnlySpan<int> shape, float[] values)
        {
            var memory = new NativeBuffer(values.Length * sizeof(float));
            for (int i = 0; i < values.Length; i++)
            {
                if (type == TensorDType.F32) ((float*)memory.Data)[i] = values[i];
                else if (type == TensorDType.F16) ((Half*)memory.Data)[i] = (Half)values[i];
                else ((ushort*)memory.Data)[i] = Elements.ToBf16(values[i]);
            }
            var view = new TensorView(name, type, shape.ToArray(), memory.Data);
            _made[name] = (view, memory);
            return view;
        }

        public float[] Values(string name, int[] shape)
        {
            TensorView view = Get(name, shape);
            Assert.Equal(shape, view.Shape.ToArray());
            float[] values = new float[view.Elements];
            view.CopyTo(values);
            return values;
        }

        public void Dispose()
        {
            foreach ((_, NativeBuffer memory) in _made.Values) memory.Dispose();
        }
    }
}
