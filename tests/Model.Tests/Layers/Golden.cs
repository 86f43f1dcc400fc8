using System.Text.Json;
using System.Text.Json.Serialization;
using Troupe.Testing;

namespace Troupe.Model.Tests.Layers;

/// <summary>What the family's reference class, in fp32, said to some prompts.</summary>
internal sealed record Golden([property: JsonPropertyName("cases")] GoldenCase[] Cases)
{
    public static string Folder(string model) => Repository.At("tests", "goldens", "models", model);

    public static Golden Load(string model) =>
        JsonSerializer.Deserialize<Golden>(File.ReadAllBytes(Path.Combine(Folder(model), "golden.json")))!;
}

internal sealed record GoldenCase(
    [property: JsonPropertyName("prompt")] int[] Prompt,
    [property: JsonPropertyName("last_logits")] float[] LastLogits,
    [property: JsonPropertyName("top8_ids")] int[][] Top8Ids,
    [property: JsonPropertyName("top8_logprobs")] float[][] Top8LogProbs,
    [property: JsonPropertyName("greedy")] int[] Greedy);
