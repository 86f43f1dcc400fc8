using System.Text;
using System.Text.Json.Nodes;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;
using Troupe.Model.Tests.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Families;

/// <summary>Configs with random damage: one clear line, or a model that loads and is counted as it loads; never another exception.</summary>
public sealed class MutatedConfigTests
{
    private const int Rounds = 400;

    private static readonly string[] s_values =
    [
        "0", "-1", "1", "2", "3", "5", "8", "16", "17", "1000000", "2147483647", "1e30", "0.5", "1.5", "-0.1", "true", "false", "null",
        "\"x\"", "\"silu\"", "\"yarn\"", "[]", "[1]", "[\"full_attention\"]", "{}", """{"rope_type": "yarn", "factor": 2.0}""",
        """{"type": "linear", "factor": 0.5}""", """{"rope_type": "llama3", "factor": 1e6}""", """{"quant_method": "mxfp4"}""",
    ];

    public static IEnumerable<object[]> Models => FamilyConfigTests.Models;

    [Theory]
    [MemberData(nameof(Models))]
    public void A_damaged_config_is_one_clear_line_or_a_model_that_loads(string model)
    {
        Random random = Seed.For($"{nameof(MutatedConfigTests)} {model}");
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder(model));
        using var device = new CpuDevice(1);
        string spelling = random.Next(2) == 0 ? "config.json" : "config.v5.json";
        byte[] original = File.ReadAllBytes(Path.Combine(checkpoint.Folder, spelling));
        var options = new ShardOptions { KvBlocks = 2, MaxRows = 4 };
        int loaded = 0;
        for (int round = 0; round < Rounds; round++)
        {
            JsonObject json = JsonNode.Parse(original)!.AsObject();
            for (int times = random.Next(1, 4); times > 0; times--) Damage(json, random);
            try
            {
                ModelConfig config = ModelConfig.Parse("config.json", Encoding.UTF8.GetBytes(json.ToJsonString()));
                for (int layer = 0; layer < Math.Min(3, config.Layers); layer++)
                    ShardWeights.LayerValues(config, new LayerIndex(layer), TensorSplit.Of(config, 0, 1), config.ExpertsPerToken);
                ShardSpec whole = ShardSpec.Whole(config);
                long counted = ShardWeights.Bytes(checkpoint.Get, config, whole);
                using ModelShard shard = ModelShard.Create(checkpoint.Get, config, whole, device, options);
                Assert.Equal(counted, shard.WeightBytes);
                loaded++;
            }
            catch (ModelException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"round {round}: {e.GetType().Name} ({e.Message}) of {json.ToJsonString()}");
            }
        }
        Assert.InRange(loaded, 1, Rounds - 1);
    }

    private static void Damage(JsonObject json, Random random)
    {
        string key = json.ElementAt(random.Next(json.Count)).Key;
        if (json[key] is JsonObject { Count: > 0 } inner && random.Next(2) == 0) Damage(inner, random);
        else if (random.Next(6) == 0) json.Remove(key);
        else json[key] = JsonNode.Parse(s_values[random.Next(s_values.Length)]);
        if (json.Count == 0) json["hidden_size"] = 64;
    }
}
