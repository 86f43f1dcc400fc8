using System.Text;
using System.Text.Json.Nodes;
using Troupe.Devices.All2All;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;
using Troupe.Model.Tests.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Families;

public sealed class FamilyConfigTests
{
    public static IEnumerable<object[]> Models =>
        Directory.EnumerateDirectories(Repository.At("tests", "goldens", "models")).Select(folder => (object[])[Path.GetFileName(folder)]);

    [Theory]
    [MemberData(nameof(Models))]
    public void Both_spellings_of_a_config_say_the_same(string model)
    {
        ModelConfig old = ModelConfig.Load(Golden.Folder(model)), fresh = ModelConfig.Load(Golden.Folder(model), "config.v5.json");
        Assert.Equivalent(old, fresh, strict: true);
        Assert.Equivalent(old.Own, fresh.Own, strict: true);
        Assert.Equal("bfloat16", fresh.DType);
    }

    [Fact]
    public void The_readme_lists_every_family_and_a_config_of_another_one_is_told_all_of_them()
    {
        string readme = File.ReadAllText(Repository.At("README.md"));
        string refusal = Refused("llama", """{"architectures": ["GPT2LMHeadModel"]}""");
        Assert.Contains("GPT2LMHeadModel, which is not supported", refusal);
        string[] known = refusal[(refusal.IndexOf("known: ", StringComparison.Ordinal) + 7)..].Split(", ");
        Assert.Equal(10, known.Length);
        foreach (string architecture in known) Assert.Contains($"`{architecture}`", readme);
        // Each golden's architecture is one of them, and each has a golden.
        IEnumerable<string> compared = Models.Select(model => ModelConfig.Load(Golden.Folder((string)model[0])).Architecture);
        Assert.Equal(known.Order(), compared.Distinct().Order());
    }

    [Theory]
    [InlineData("llama", """{"hidden_act": "gelu"}""", "hidden_act is gelu; only silu")]
    [InlineData("llama", """{"layer_types": ["full_attention", "sliding_attention", "full_attention", "full_attention"]}""",
        "layer_types has sliding_attention; only full_attention")]
    [InlineData("llama", """{"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0}}""",
        "rope_scaling.high_freq_factor must be more than low_freq_factor = 4, got 4")]
    [InlineData("llama", """{"quantization_config": {"quant_method": "gptq"}}""",
        "quantization_config.quant_method is gptq; known: fp8, mxfp4")]
    [InlineData("llama", """{"quantization_config": {"bits": 4}}""", "quantization_config.quant_method is missing; known: fp8, mxfp4")]
    [InlineData("llama", """{"quantization_config": {"quant_method": "fp8", "weight_block_size": [64, 128]}}""",
        "weight_block_size must be [128, 128], got [64, 128]")]
    [InlineData("llama", """{"quantization_config": {"quant_method": "fp8"}}""", "weight_block_size must be [128, 128], got []")]
    [InlineData("llama", """{"quantization_config": {"quant_method": "fp8", "fmt": "e5m2"}}""", "fmt is e5m2; only e4m3")]
    [InlineData("olmoe", """{"head_dim": 32}""", "head_dim is 32; heads of this family share the hidden state of 64 evenly")]
    [InlineData("mixtral", """{"sliding_window": -4}""", "sliding_window must be an integer in [0, 2147483647], got -4")]
    [InlineData("deepseek-v2-lite", """{"topk_method": "noaux_tc"}""", "topk_method is noaux_tc; known: greedy, group_limited_greedy")]
    [InlineData("deepseek-v2-lite", """{"scoring_func": "sigmoid"}""", "scoring_func is sigmoid; only softmax")]
    [InlineData("deepseek-v2-lite", """{"moe_layer_freq": 2}""", "moe_layer_freq is not 1")]
    [InlineData("deepseek-v2-lite", """{"n_shared_experts": null}""", "n_shared_experts is missing")]
    [InlineData("deepseek-v2-lite", """{"head_dim": 24}""", "head_dim must be qk_rope_head_dim = 16, got 24")]
    [InlineData("deepseek-v2-lite", """{"num_key_value_heads": 2}""", "num_key_value_heads must be num_attention_heads = 4, got 2")]
    [InlineData("deepseek-v2-lite", """{"qk_rope_head_dim": 15}""", "head_dim must be even, got 15")]
    [InlineData("deepseek-v3", """{"scoring_func": "softmax"}""", "scoring_func is softmax; only sigmoid")]
    [InlineData("deepseek-v3", """{"topk_method": "greedy"}""", "topk_method is greedy; only noaux_tc")]
    [InlineData("deepseek-v3", """{"n_group": 3}""", "n_group must divide 16 experts, got 3")]
    [InlineData("deepseek-v3", """{"n_group": 8, "topk_group": 1}""", "topk_group is 1 groups of 2 experts, and each token goes to 4")]
    [InlineData("deepseek-v3", """{"index_topk": 2048}""", "index_topk is set, which is not supported")]
    [InlineData("glm4-moe", """{"partial_rotary_factor": 0.2}""", "partial_rotary_factor leaves 3 of 16 values that turn")]
    [InlineData("glm4-moe", """{"rope_parameters": {"partial_rotary_factor": 0.25}}""",
        "partial_rotary_factor is 0.5, but that of rope_parameters is 0.25; they must agree")]
    [InlineData("gpt-oss", """{"layer_types": ["full_attention"]}""", "layer_types must name 4 layers, got 1")]
    [InlineData("gpt-oss", """{"layer_types": ["a", "b", "c", "d"]}""", "layer_types has a; known: full_attention, sliding_attention")]
    [InlineData("gpt-oss-mxfp4", """{"intermediate_size": 90}""", "is mxfp4 in groups of 32, which do not divide")]
    public void What_a_family_would_compute_otherwise_is_refused_by_key(string model, string options, string expected)
    {
        string message = Refused(model, options);
        Assert.StartsWith("dir/config.json: ", message);
        Assert.Contains(expected, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void A_latent_cache_keeps_one_vector_a_position_and_is_planned_so()
    {
        ModelConfig config = ModelConfig.Load(Golden.Folder("deepseek-v3"));
        KvShape shape = config.Kv(TensorSplit.Of(config, 1, 2).KvHeads.Count);
        Assert.Equal((1, 32 + 16, 32, true), (shape.Heads, shape.KeySize, shape.ValueSize, shape.ValuesInKeys));
        Assert.Equal(16 * (32 + 16) * sizeof(float), shape.BlockBytes(ElementType.F32, 16));
        ModelConfig grouped = ModelConfig.Load(Golden.Folder("glm4-moe"));
        Assert.Equal(16 * 2 * 2 * 16 * sizeof(float), grouped.Kv(grouped.KvHeads).BlockBytes(ElementType.F32, 16));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void A_shard_holds_the_bytes_that_were_counted_before_and_all_shards_hold_all_tensors(string model)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder(model));
        using var device = new Devices.Kernels.Cpu.CpuDevice(1);
        ModelConfig c = checkpoint.Config;
        var options = new ShardOptions { KvBlocks = 4, MaxRows = 8, GroupSize = 2 };
        var placement = ExpertPlacement.Blocks(c.Experts, 2);
        ShardSpec[] specs = [.. Enumerable.Range(0, 2).Select(member => ShardSpec.Of(c, 0, 1, placement, member))];
        foreach (ShardSpec spec in specs)
        {
            using ModelShard shard = ModelShard.Create(checkpoint.Get, c, spec, device, options);
            Assert.Equal(shard.WeightBytes, ShardWeights.Bytes(checkpoint.Get, c, spec));
        }
        // Together they hold every byte of the file's tensors.
        long stored = new DirectoryInfo(checkpoint.Folder).EnumerateFiles("*.safetensors").Sum(DataBytes);
        Assert.Equal(stored, ShardWeights.Bytes(checkpoint.Get, c, specs));

        static long DataBytes(FileInfo file)
        {
            using var reader = new BinaryReader(file.OpenRead());
            return file.Length - 8 - reader.ReadInt64();
        }
    }

    private static string Refused(string model, string options)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Folder(model), "config.json")))!.AsObject();
        foreach ((string key, JsonNode? value) in JsonNode.Parse(options)!.AsObject()) json[key] = value?.DeepClone();
        return Assert.Throws<ModelException>(() =>
            ModelConfig.Parse("dir/config.json", Encoding.UTF8.GetBytes(json.ToJsonString()))).Message;
    }
}
