using System.Text.Json;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;
using Troupe.Testing;
using Troupe.Testing.Fuzz;

namespace Troupe.Model.Tests.Fuzz;

/// <summary>config.json of all families in both spellings, damaged; what is read must be finite and small enough to plan with.</summary>
internal sealed class ConfigTarget : FuzzTarget
{
    private static readonly string[] s_values =
    [
        "\"silu\"", "\"yarn\"", "\"llama3\"", "\"linear\"", "\"default\"", "[\"full_attention\"]", "[\"sliding_attention\"]",
        """{"rope_type": "yarn", "factor": 2.0}""", """{"type": "linear", "factor": 0.5}""",
        """{"rope_type": "linear", "factor": 1e-320}""",
        """{"rope_type": "llama3", "factor": 1e6}""", """{"rope_type": "yarn", "factor": 1e-30, "rope_theta": 1.0000000000000002}""",
        """{"rope_type": "yarn", "factor": 4, "beta_fast": 1e-320, "beta_slow": 5e-324}""", """{"quant_method": "mxfp4"}""",
        """{"quant_method": "fp8", "weight_block_size": [128, 128]}""", "1.0000000000000002", "1e-320", "262144", "4096", "1024",
        "16777216", "4194304",
    ];

    private static readonly byte[][] s_files = [.. Directory.EnumerateFiles(Repository.At("tests", "goldens", "models"), "config*.json",
        SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    private static readonly JsonMutator s_json = new(Keys(), s_values, new Dictionary<string, string[]>(StringComparer.Ordinal)
    {
        ["hidden_size"] = ["1", "32", "262144", "262145"],
        ["num_hidden_layers"] = ["1", "2", "1024", "1025"],
        ["num_attention_heads"] = ["1", "2", "3", "1024"],
        ["num_key_value_heads"] = ["1", "2", "3", "1024"],
        ["head_dim"] = ["2", "3", "4096", "64"],
        ["vocab_size"] = ["1", "4194304"],
        ["num_experts_per_tok"] = ["1", "2", "4096"],
        ["factor"] = ["1e-320", "1e-45", "1e-38", "1e6", "0.5", "1"],
        ["rope_theta"] = ["1.0000000000000002", "1.0000001", "1e12", "2"],
        ["beta_fast"] = ["1e-320", "1e6", "1", "32"],
        ["beta_slow"] = ["5e-324", "1e6", "1", "32"],
        ["mscale"] = ["1e-320", "1e6", "0"],
        ["mscale_all_dim"] = ["1e-320", "1e6", "0"],
        ["attention_factor"] = ["1e-320", "1e6", "0"],
        ["low_freq_factor"] = ["1e-320", "1e6", "5e-324"],
        ["high_freq_factor"] = ["1e-320", "1e6", "5e-324"],
        ["original_max_position_embeddings"] = ["1", "16777216"],
        ["max_position_embeddings"] = ["1", "16777216"],
        ["partial_rotary_factor"] = ["1e-320", "0.3", "1"],
        ["rope_type"] = ["\"linear\"", "\"llama3\"", "\"yarn\"", "\"default\""],
        ["architectures"] = [.. Families()],
    });

    public override string Kind => "configs";

    public override int Cases => 30_000;

    public override IReadOnlyList<byte[]> Seeds => s_files;

    public override bool IsRefusal(Exception e) => e is ModelException;

    // What a small config may ask for: a frequency for each pair of a head's 2^18 values, the kinds of 1024 layers; and what counting the
    // weights of three layers takes, an object for each of 4096 experts among them.
    public override long MayAllocate(int inputBytes) => (32 << 20) + 300L * inputBytes;

    public override byte[] Make(Random random) =>
        s_json.Mutate(s_files[random.Next(s_files.Length)], s_files[random.Next(s_files.Length)], random);

    public override void Use(byte[] input, Random random)
    {
        ModelConfig config = ModelConfig.Parse("config.json", input);
        Check(config.Rope.Frequencies.All(float.IsFinite), "a rotary frequency is not finite");
        Check(float.IsFinite(config.Rope.Magnitude) && double.IsFinite(config.Rope.ScoreScale), "rotary scales are not finite");
        Check(config.Rope.Width <= Math.Max(config.HeadDim, config.Latent?.Turning ?? 0), "more values turn than a head has");
        TensorSplit split = TensorSplit.Of(config, 0, random.Next(1, 3));
        int experts = Math.Min(config.ExpertsPerToken, 4);
        foreach (int layer in (int[])[0, config.Layers / 2, config.Layers - 1])
        {
            long values = ShardWeights.LayerValues(config, new LayerIndex(layer), split, experts);
            long bytes = ShardWeights.LayerBytes(config, new LayerIndex(layer), experts, default);
            Check(values > 0 && bytes > 0 && config.Layers * bytes > 0, "the weights of a layer count to nothing, or overflow");
        }
        Check(ShardWeights.HeadBytes(config, default) > 0 && config.Kv(config.KvHeads).ToString().Length > 0, "the head counts to nothing");
    }

    private static IEnumerable<string> Families() =>
        s_files.Select(file => JsonDocument.Parse(file).RootElement.GetProperty("architectures").GetRawText()).Distinct();

    private static string[] Keys()
    {
        var keys = new SortedSet<string>(StringComparer.Ordinal) { "factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim",
            "n_group" };
        foreach (byte[] file in s_files) Add(JsonDocument.Parse(file).RootElement);
        return [.. keys];

        void Add(JsonElement value)
        {
            foreach (JsonProperty property in value.EnumerateObject())
            {
                keys.Add(property.Name);
                if (property.Value.ValueKind == JsonValueKind.Object) Add(property.Value);
            }
        }
    }
}
