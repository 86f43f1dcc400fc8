using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>What a tokenizer makes of one text; it is decoded from the ids without the template's special tokens.</summary>
public sealed record TokenizedLine(string Text, int[] Ids, int[] IdsWithoutSpecial, string Decoded, string DecodedSkipSpecial);

/// <summary>The command line's tokenize: lines of JSON strings in, lines of JSON objects out.</summary>
public static class TokenizeLines
{
    private const int MaxLineBytes = 64 << 20;

    private static readonly JsonWriterOptions AsciiOnly = new() { Encoder = JavaScriptEncoder.Create(UnicodeRanges.BasicLatin) };

    /// <summary>Encodes a text and decodes its ids again.</summary>
    public static TokenizedLine Tokenize(BpeTokenizer tokenizer, string text)
    {
        int[] ids = tokenizer.Encode(text), plain = tokenizer.Encode(text, addSpecial: false);
        return new TokenizedLine(text, ids, plain, tokenizer.Decode(plain), tokenizer.Decode(plain, skipSpecial: true));
    }

    /// <summary>
    /// Reads JSONL, one JSON string per line, and gives one ASCII JSON object per line, lazily:
    /// {text, ids, ids_without_special, decoded, decoded_skip_special}. A blank line is left out, except that it counts.
    /// </summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="input">UTF-8.</param>
    /// <param name="name">What the input is called in messages.</param>
    /// <exception cref="ModelException">A line is not UTF-8 or not one JSON string; the message has its number, from 1.</exception>
    public static IEnumerable<string> Run(BpeTokenizer tokenizer, Stream input, string name)
    {
        using var buffered = new BufferedStream(input, 1 << 16);
        for (int number = 1; Line(buffered, name, number) is { } line; number++)
            if (line.AsSpan().ContainsAnyExcept(" \t\r"u8)) yield return Json(Tokenize(tokenizer, Text(line, name, number)));
    }

    /// <summary>The record as one line of ASCII JSON.</summary>
    public static string Json(TokenizedLine line)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, AsciiOnly))
        {
            writer.WriteStartObject();
            writer.WriteString("text", line.Text);
            Ids(writer, "ids", line.Ids);
            Ids(writer, "ids_without_special", line.IdsWithoutSpecial);
            writer.WriteString("decoded", line.Decoded);
            writer.WriteString("decoded_skip_special", line.DecodedSkipSpecial);
            writer.WriteEndObject();
        }
        return Encoding.ASCII.GetString(buffer.WrittenSpan);
    }

    private static void Ids(Utf8JsonWriter writer, string name, int[] ids)
    {
        writer.WriteStartArray(name);
        foreach (int id in ids) writer.WriteNumberValue(id);
        writer.WriteEndArray();
    }

    /// <summary>The bytes up to the next line feed, or null at the end.</summary>
    private static byte[]? Line(BufferedStream input, string name, int number)
    {
        var line = new List<byte>();
        int value;
        while ((value = input.ReadByte()) is >= 0 and not '\n')
        {
            if (line.Count == MaxLineBytes) throw new ModelException($"{name}: line {number} has more than {MaxLineBytes} bytes");
            line.Add((byte)value);
        }
        return value < 0 && line.Count == 0 ? null : [.. line];
    }

    private static string Text(byte[] line, string name, int number)
    {
        if (!Utf8.IsValid(line)) throw new ModelException($"{name}: line {number} is not valid UTF-8");
        try
        {
            using var document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.String
                ? document.RootElement.GetString()!
                : throw new ModelException($"{name}: line {number} must be a JSON string, got {ModelFiles.Kind(document.RootElement)}");
        }
        catch (JsonException e)
        {
            throw new ModelException($"{name}: line {number} is not one JSON string in quotes (see byte {e.BytePositionInLine})", e);
        }
        catch (InvalidOperationException e)
        {
            throw new ModelException($"{name}: line {number} has an escape that is half a character", e);
        }
    }
}
