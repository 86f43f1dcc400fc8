using System.Text;
using System.Text.Json.Nodes;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Checkpoints;

public sealed class ModelConfigTests
{
    private static string Golden(string model) => Repository.At("tests", "goldens", "models", model);

    [Fact]
    public void Every_field_is_that_of_the_file()
    {
        ModelConfig mixed = ModelConfig.Load(Golden("qwen3-moe-mixed"));
        Assert.Equal("Qwen3MoeForCausalLM", mixed.Architecture);
        Assert.Equal((96, 5, 6, 3, 16), (mixed.HiddenSize, mixed.Layers, mixed.Heads, mixed.KvHeads, mixed.HeadDim));
        Assert.Equal((128, 40, 12, 3), (mixed.IntermediateSize, mixed.MoeIntermediateSize, mixed.Experts, mixed.ExpertsPerToken));
        Assert.Equal((331, 512, 1e-6, 10000.0), (mixed.VocabSize, mixed.MaxPositions, mixed.RmsNormEps, mixed.Rope.Theta));
        Assert.Equal((false, true), (mixed.NormTopkProb, mixed.TieWordEmbeddings));
        Assert.Equal([2], mixed.EosTokenIds);
        Assert.Equal(1, mixed.BosTokenId);
        // decoder_sparse_step 2 and mlp_only_layers [3]: the weights on disk have experts in layer 1 alone.
        Assert.Equal([false, true, false, false, false], Enumerable.Range(0, 5).Select(mixed.IsMoeLayer));
        Assert.Equal(1e6, ModelConfig.Load(Golden("qwen3-moe"), "config.v5.json").Rope.Theta);
        ModelConfig dense = ModelConfig.Load(Golden("qwen3"));
        Assert.Equal(("Qwen3ForCausalLM", 0, 0), (dense.Architecture, dense.Experts, dense.ExpertsPerToken));
        Assert.False(dense.IsMoeLayer(0));
        ModelConfig second = ModelConfig.Load(Golden("qwen2-moe"));
        Assert.Equal(("Qwen2MoeForCausalLM", 80, true, false),
            (second.Architecture, second.SharedExpertSize, second.QkvBias, second.NormTopkProb));
        Assert.Equal((64, 4, 2, 16), (second.HiddenSize, second.Heads, second.KvHeads, second.HeadDim)); // head_dim is not in the file
        Assert.Equal((0, false), (mixed.SharedExpertSize, mixed.QkvBias));
    }

    [Theory]
    [InlineData("7", null, "7")]
    [InlineData("[7, 5]", "[5, 9]", "7 5 9")]
    [InlineData(null, "3", "3")]
    [InlineData(null, null, "")]
    public void End_ids_come_from_both_files_and_may_be_one_or_several(string? config, string? generation, string expected)
    {
        using var folder = new TempFolder();
        folder.Write("config.json", Changed("eos_token_id", config));
        if (generation is not null) folder.Write("generation_config.json", $$"""{"eos_token_id": {{generation}}}""");
        Assert.Equal(expected, string.Join(' ', ModelConfig.Load(folder.Path).EosTokenIds));
    }

    [Theory]
    [InlineData("architectures", """["GPT2LMHeadModel"]""",
        "architectures names GPT2LMHeadModel, which is not supported; known: DeepseekV2ForCausalLM, DeepseekV3ForCausalLM, ")]
    [InlineData("architectures", null, "architectures must name one architecture, got 0; known: DeepseekV2ForCausalLM")]
    [InlineData("architectures", "3", "architectures must be a list of strings, got 3")]
    [InlineData("attention_bias", "\"no\"", "attention_bias must be true or false, got \"no\"")]
    [InlineData("rope_scaling", """{"rope_type": "dynamic", "factor": 4.0}""",
        "rope_scaling.rope_type is dynamic; known: default, linear, llama3, yarn")]
    [InlineData("rope_scaling", """{"rope_type": "yarn", "factor": "x"}""", "rope_scaling.factor must be a number")]
    [InlineData("rope_scaling", """{"type": "longrope", "factor": 4.0}""", "rope_scaling.type is longrope; known: default")]
    [InlineData("rope_parameters", """{"rope_type": "llama3"}""", "rope_parameters.factor is missing")]
    [InlineData("rope_parameters", """{"mrope_section": [1]}""", "rope_parameters.mrope_section is set, which is not supported")]
    [InlineData("rope_parameters", """{"rope_theta": 5.0}""",
        "rope_theta is 1000000, but rope_parameters.rope_theta is 5; they must agree")]
    [InlineData("rope_parameters", """{"partial_rotary_factor": 0.5}""", "partial_rotary_factor is not 1; heads of this family turn whole")]
    [InlineData("final_logit_softcapping", "30.0", "final_logit_softcapping is set, which is not supported")]
    [InlineData("rope_parameters", "7", "rope_parameters must be an object, got 7")]
    [InlineData("use_sliding_window", "true", "use_sliding_window is true; only full attention", "sliding_window", "128")]
    [InlineData("layer_types", """["full_attention", "sliding_attention"]""", "layer_types has sliding_attention; only full_attention")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act is gelu; only silu")]
    [InlineData("quantization_config", """{"quant_method": "fp8"}""", "quantization_config")]
    [InlineData("hidden_size", null, "hidden_size is missing")]
    [InlineData("hidden_size", "0", "hidden_size must be an integer in [1, 262144], got 0")]
    [InlineData("hidden_size", "64.5", "hidden_size must be an integer in [1, 262144], got 64.5")]
    [InlineData("hidden_size", "1e99", "hidden_size must be an integer in [1, 262144], got 1e99")]
    [InlineData("hidden_size", "\"64\"", "hidden_size must be an integer in [1, 262144], got \"64\"")]
    [InlineData("num_experts", null, "num_experts or num_local_experts is missing")]
    [InlineData("num_local_experts", "8", "num_local_experts is 8, but num_experts is 16; they must agree")]
    [InlineData("num_experts_per_tok", "17", "num_experts_per_tok must be an integer in [1, 16], got 17")]
    [InlineData("num_key_value_heads", "3", "num_key_value_heads must divide num_attention_heads = 4, got 3")]
    [InlineData("head_dim", "33", "head_dim must be even, got 33")]
    [InlineData("rms_norm_eps", "-1", "rms_norm_eps must be a number in (0, 0.1], got -1")]
    [InlineData("eos_token_id", "320", "eos_token_id must be an integer in [0, 319], got 320")]
    [InlineData("eos_token_id", "[1, -1]", "eos_token_id must be an integer or a list of integers in [0, 319], got -1 in it")]
    [InlineData("mlp_only_layers", "[4]", "mlp_only_layers must be a list of integers in [0, 3], got 4 in it")]
    [InlineData("intermediate_size", null, "intermediate_size is missing, and the model has dense layers", "mlp_only_layers", "[1]")]
    [InlineData("torch_dtype", "16", "torch_dtype must be a string, got 16")]
    public void What_is_wrong_or_not_supported_is_named_by_file_and_key(
        string key, string? value, string expected, string? otherKey = null, string? otherValue = null)
    {
        string json = otherKey is null ? Changed(key, value) : Changed(otherKey, otherValue, Changed(key, value));
        string message = Assert.Throws<ModelException>(() => ModelConfig.Parse("dir/config.json", Encoding.UTF8.GetBytes(json))).Message;
        Assert.StartsWith("dir/config.json: ", message);
        Assert.Contains(expected, message);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "a JSON object is wanted, got a list")]
    [InlineData("", "not valid JSON")]
    [InlineData("{\"a\\ud800\": 1}", "an escape that is half a character")]
    [InlineData("{\"a\": [\"\\uDC00\"]}", "an escape that is half a character")]
    [InlineData("{\"hidden_size\": 1, \"hidden_size\": 2}", "not valid JSON")]
    public void A_config_that_is_not_an_object_is_one_clear_line(string json, string expected)
    {
        string message = Assert.Throws<ModelException>(() => ModelConfig.Parse("config.json", Encoding.UTF8.GetBytes(json))).Message;
        Assert.Contains(expected, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Sliding_windows_that_are_switched_off_and_default_ropes_are_no_obstacle()
    {
        string json = Changed("sliding_window", "4096", Changed("rope_scaling", """{"rope_type": "default"}"""));
        Assert.Equal(64, ModelConfig.Parse("config.json", Encoding.UTF8.GetBytes(json)).HiddenSize);
    }

    /// <summary>The golden MoE config with one key changed, or removed where the value is null.</summary>
    private static string Changed(string key, string? value, string? json = null)
    {
        JsonObject config = JsonNode.Parse(json ?? File.ReadAllText(Path.Combine(Golden("qwen3-moe"), "config.json")))!.AsObject();
        config.Remove(key);
        if (value is not null) config[key] = JsonNode.Parse(value);
        return config.ToJsonString();
    }
}
