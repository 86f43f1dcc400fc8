using System.Text.Json;
using Troupe.Model.Checkpoints;

namespace Troupe.Cli.Measures;

/// <summary>
/// What the reference says about one prompt. Logits are of the last position, [V]; the eight best ids and their log-probabilities are by
/// position, [S][8]. Logits and tops are empty where only greedy tokens are known.
/// </summary>
internal sealed record GoldenCase(
    IReadOnlyList<int> Prompt, IReadOnlyList<double> LastLogits, IReadOnlyList<IReadOnlyList<int>> TopIds,
    IReadOnlyList<IReadOnlyList<double>> TopLogProbs, IReadOnlyList<int> Greedy, string? PromptText, string? GreedyText)
{
    /// <summary>The file's name in a model folder.</summary>
    public const string FileName = "golden.json";

    /// <summary>The cases of a file, or of the model folder: golden.json, else those of heldout.json.</summary>
    /// <exception cref="ModelException">There are none, or the file cannot be used.</exception>
    public static IReadOnlyList<GoldenCase> Load(string? file, string folder)
    {
        string path = file ?? Path.Combine(folder, FileName);
        if (file is not null && !File.Exists(file)) throw new ModelException($"{file}: no such file");
        GoldenCase[] cases = File.Exists(path) ? GoldenFile.Read(path, root => root.TryGetProperty("cases", out JsonElement list)
                ? list.EnumerateArray().Select(Parse).ToArray()
                : root.GetProperty("golden").EnumerateArray().Select(ParseGreedy).ToArray())
            : [.. (HeldOut.Load(folder)?.Golden ?? []).Select(g => new GoldenCase(g.Ids, [], [], [], g.Greedy, g.Prompt, g.Text))];
        return cases.Length > 0 ? cases
            : throw new ModelException(
                $"{folder} has neither {FileName} nor a {HeldOut.FileName} with golden texts: give a file with --golden");
    }

    private static GoldenCase Parse(JsonElement item)
    {
        var golden = new GoldenCase(item.GetProperty("prompt").Ints(), item.GetProperty("last_logits").Doubles(),
            [.. item.GetProperty("top8_ids").EnumerateArray().Select(p => p.Ints())],
            [.. item.GetProperty("top8_logprobs").EnumerateArray().Select(p => p.Doubles())], item.GetProperty("greedy").Ints(), null,
                null);
        if (golden.Prompt.Count == 0 || golden.TopIds.Count != golden.Prompt.Count || golden.TopLogProbs.Count != golden.Prompt.Count
            || golden.TopIds.Zip(golden.TopLogProbs).Any(p => p.First.Count != p.Second.Count))
            throw new FormatException("top8_ids and top8_logprobs must have one list of equal length for each token of prompt");
        return golden;
    }

    private static GoldenCase ParseGreedy(JsonElement item) =>
        new(item.GetProperty("ids").Ints(), [], [], [], item.GetProperty("greedy").Ints(),
        item.GetProperty("prompt").GetString(), item.GetProperty("text").GetString());
}
