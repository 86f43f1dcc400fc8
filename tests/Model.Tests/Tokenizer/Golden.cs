using System.Text.Json;
using Troupe.Model.Tokenizer;
using Troupe.Testing;

namespace Troupe.Model.Tests.Tokenizer;

/// <summary>The tokenizers and goldens that the tests here share.</summary>
internal static class Golden
{
    public static BpeTokenizer Qwen { get; } = BpeTokenizer.Load(QwenFolder);
    public static BpeTokenizer Sample { get; } = BpeTokenizer.Load(Repository.At("models", "sample"));

    private static string QwenFolder => Repository.At("tests", "goldens", "tokenizers", "qwen");

    public static JsonElement.ArrayEnumerator QwenCases() =>
        Read(Path.Combine(QwenFolder, "golden.json")).GetProperty("cases").EnumerateArray();

    /// <summary>A JSON file that lies beside these tests.</summary>
    public static JsonElement Beside(string name) => Read(Repository.At("tests", "Model.Tests", "Tokenizer", name));

    public static JsonElement Read(string path) => JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;

    public static int[] Ints(this JsonElement list, string key) =>
        [.. list.GetProperty(key).EnumerateArray().Select(item => item.GetInt32())];

    public static string Text(this JsonElement value, string key) => value.GetProperty(key).GetString()!;

    public static string[] Texts(this JsonElement list, string key) =>
        [.. list.GetProperty(key).EnumerateArray().Select(item => item.GetString()!)];
}
