using System.Text.Json;
using Troupe.Model.Checkpoints;

namespace Troupe.Cli.Measures;

/// <summary>A prompt with the tokens and the text that greedy decoding must give.</summary>
internal sealed record GreedyGolden(string Prompt, IReadOnlyList<int> Ids, IReadOnlyList<int> Greedy, string Text);

/// <summary>
/// heldout.json of a model folder: text that the model has not seen, and what its reference makes of it. <paramref name="ExpertLoad"/> is
/// the share of each expert by layer.
/// </summary>
internal sealed record HeldOut(
    IReadOnlyList<int> Tokens, int Window, double? Perplexity, IReadOnlyList<IReadOnlyList<double>> ExpertLoad,
        IReadOnlyList<GreedyGolden> Golden)
{
    /// <summary>The file's name.</summary>
    public const string FileName = "heldout.json";

    /// <summary>Reads the file of a model folder; null where it has none.</summary>
    /// <exception cref="ModelException">The file cannot be used.</exception>
    public static HeldOut? Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? GoldenFile.Read(path, Parse) : null;
    }

    private static HeldOut Parse(JsonElement root) => new(
        root.GetProperty("heldout_tokens").Ints(), root.GetProperty("window").GetInt32(),
        root.TryGetProperty("perplexity", out JsonElement perplexity) ? perplexity.GetDouble() : null,
        root.TryGetProperty("expert_load", out JsonElement load) ? [.. load.EnumerateArray().Select(layer => layer.Doubles())] : [],
        root.TryGetProperty("golden", out JsonElement golden) ? [.. golden.EnumerateArray().Select(Case)] : []);

    private static GreedyGolden Case(JsonElement item) => new(item.GetProperty("prompt").GetString()!, item.GetProperty("ids").Ints(),
        item.GetProperty("greedy").Ints(), item.GetProperty("text").GetString()!);
}

/// <summary>Reads JSON files of goldens.</summary>
internal static class GoldenFile
{
    /// <summary>Reads a file; whatever goes wrong is one line that names it.</summary>
    /// <exception cref="ModelException">It is missing, no JSON, or lacks something.</exception>
    public static T Read<T>(string path, Func<JsonElement, T> parse)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            using var document = JsonDocument.Parse(stream);
            return parse(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new ModelException($"{path}: not a golden file that we know: {e.Message.ReplaceLineEndings(" ")}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <summary>A list of whole numbers.</summary>
    public static int[] Ints(this JsonElement list) => [.. list.EnumerateArray().Select(v => v.GetInt32())];

    /// <summary>A list of numbers.</summary>
    public static double[] Doubles(this JsonElement list) => [.. list.EnumerateArray().Select(v => v.GetDouble())];
}
