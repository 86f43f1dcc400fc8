using System.Collections.Concurrent;
using System.Text.Json;
using Troupe.Model.Tokenizer;
using Troupe.Testing;

namespace Troupe.Model.Tests.Tokenizer;

/// <summary>The tokenizers and goldens that the tests here share.</summary>
internal static class Golden
{
    private static readonly ConcurrentDictionary<string, BpeTokenizer> Loaded = new();

    public static BpeTokenizer Qwen { get; } = Of("qwen");
    public static BpeTokenizer Sample { get; } = BpeTokenizer.Load(Repository.At("models", "sample"));

    /// <summary>The styles of tokenizer.json of which there are goldens.</summary>
    public static string[] Styles { get; } = ["deepseek", "o200k", "qwen", "sentencepiece"];

    /// <summary>The tokenizer of a style.</summary>
    public static BpeTokenizer Of(string style) => Loaded.GetOrAdd(style, name => BpeTokenizer.Load(Folder(name)));

    public static JsonElement.ArrayEnumerator QwenCases() => Cases("qwen");

    public static JsonElement.ArrayEnumerator Cases(string style) =>
        Read(Path.Combine(Folder(style), "golden.json")).GetProperty("cases").EnumerateArray();

    public static string Folder(string style) => Repository.At("tests", "goldens", "tokenizers", style);

    /// <summary>A JSON file that lies beside these tests.</summary>
    public static JsonElement Beside(string name) => Read(Repository.At("tests", "Model.Tests", "Tokenizer", name));

    public static JsonElement Read(string path) => JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;

    public static int[] Ints(this JsonElement list, string key) =>
        [.. list.GetProperty(key).EnumerateArray().Select(item => item.GetInt32())];

    public static string Text(this JsonElement value, string key) => value.GetProperty(key).GetString()!;

    public static string[] Texts(this JsonElement list, string key) =>
        [.. list.GetProperty(key).EnumerateArray().Select(item => item.GetString()!)];
}
