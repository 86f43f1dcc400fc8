using System.Text.Json;
using System.Text.Json.Serialization;

namespace Troupe.Model.Tokenizer;

/// <summary>The values of a JSON object as stretches of its bytes, so that the large ones need not become objects.</summary>
internal static class JsonSections
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>Key and bytes of each value.</summary>
    /// <exception cref="JsonException">The text is not one JSON object, or has a key twice.</exception>
    public static Dictionary<string, ReadOnlyMemory<byte>> Read(ReadOnlyMemory<byte> text) => Read(text, "", out _);

    /// <summary>The same, and in one go the values of one of them: so a text of 30 MB is walked but once.</summary>
    /// <param name="text">One JSON object.</param>
    /// <param name="open">The key of the one whose values are wanted too.</param>
    /// <param name="inner">Those values; empty where that one is not there or no object.</param>
    /// <exception cref="JsonException">The text is not one JSON object, or has a key twice.</exception>
    public static Dictionary<string, ReadOnlyMemory<byte>> Read(ReadOnlyMemory<byte> text, string open,
        out Dictionary<string, ReadOnlyMemory<byte>> inner)
    {
        var reader = new Utf8JsonReader(text.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new JsonException("a JSON object is wanted");
        inner = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        Dictionary<string, ReadOnlyMemory<byte>> sections = Values(ref reader, text, open, inner);
        // Anything behind the object is an error of the reader's.
        reader.Read();
        return sections;
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> Values(ref Utf8JsonReader reader, ReadOnlyMemory<byte> text, string open,
        Dictionary<string, ReadOnlyMemory<byte>> inner)
    {
        var sections = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            int start = (int)reader.TokenStartIndex;
            if (open.Length > 0 && key == open && reader.TokenType == JsonTokenType.StartObject)
                foreach ((string name, ReadOnlyMemory<byte> value) in Values(ref reader, text, "", [])) inner[name] = value;
            else
                reader.Skip();
            if (!sections.TryAdd(key, text[start..(int)reader.BytesConsumed]))
                throw new JsonException($"the key {Short(key)} is there twice");
        }
        return sections;
    }

    /// <summary>A stretch as a value.</summary>
    public static JsonElement Parse(ReadOnlyMemory<byte> text)
    {
        using var document = JsonDocument.Parse(text, Strict);
        return document.RootElement.Clone();
    }

    /// <summary>A text from the file, shortened for a message, on one line.</summary>
    public static string Short(string text) =>
        (text.Length <= 60 ? text : string.Concat(text.AsSpan(0, 60), "...")).ReplaceLineEndings(" ");
}

/// <summary>How the parts of a tokenizer.json are put together again.</summary>
[JsonSerializable(typeof(Dictionary<string, JsonElement>))]
internal sealed partial class TokenizerJsonContext : JsonSerializerContext;
