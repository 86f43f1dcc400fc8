using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Troupe.Model.Checkpoints;

/// <summary>Reads the files of a model folder; whatever goes wrong is one <see cref="ModelException"/> that names the file.</summary>
internal static class ModelFiles
{
    /// <summary>The most bytes a JSON file of a model may have: a tokenizer of 256 thousand tokens takes about 20 MB.</summary>
    public const long MaxJsonBytes = 256L << 20;

    /// <summary>The folder, or an error if there is none.</summary>
    public static string Folder(string folder)
    {
        if (Directory.Exists(folder)) return folder;
        throw new ModelException(File.Exists(folder)
            ? $"{folder} is a file; a model is a folder with config.json, *.safetensors and tokenizer.json: give the folder"
            : $"no model folder {folder}; give a folder with config.json, *.safetensors and tokenizer.json");
    }

    /// <summary>The bytes of a file that the folder must have.</summary>
    public static byte[] Bytes(string folder, string name)
    {
        string path = Path.Combine(Folder(folder), name);
        if (!File.Exists(path)) throw new ModelException($"{folder} has no {name}; is it a model folder, fully downloaded?");
        return Guard(path, () =>
        {
            using SafeFileHandle file = File.OpenHandle(path);
            long length = RandomAccess.GetLength(file);
            if (length > MaxJsonBytes)
                throw new ModelException($"{path}: {length} bytes, at most {MaxJsonBytes} are read; is it the right file?");
            // No more than the file had: a link may lead to a device that never ends.
            byte[] bytes = new byte[length];
            int read = 0;
            while (read < bytes.Length && RandomAccess.Read(file, bytes.AsSpan(read), read) is > 0 and int more) read += more;
            return read == bytes.Length ? bytes : bytes[..read];
        });
    }

    /// <summary>Bytes of a file, or of the one that a link leads to: download caches keep links in a model's folder.</summary>
    public static long Length(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        return RandomAccess.GetLength(file);
    }

    /// <summary>The file's bytes as one JSON object.</summary>
    public static JsonElement Object(string path, ReadOnlyMemory<byte> bytes)
    {
        ReadOnlyMemory<byte> text = bytes.Span.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
        if (!System.Text.Unicode.Utf8.IsValid(text.Span)) throw new ModelException($"{path}: not valid JSON: not UTF-8");
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new ModelException($"{path}: a JSON object is wanted, got {Kind(document.RootElement)}");
            // Half a surrogate pair passes the parser and fails when it is read as a string: find it here, where the file is known.
            if (text.Span.IndexOf("\\ud"u8) >= 0 || text.Span.IndexOf("\\uD"u8) >= 0) ReadAllText(document.RootElement);
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new ModelException($"{path}: not valid JSON: {OneLine(e.Message)}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new ModelException($"{path}: not valid JSON: an escape that is half a character", e);
        }
    }

    private static void ReadAllText(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String) value.GetString();
        else if (value.ValueKind == JsonValueKind.Array)
            foreach (JsonElement item in value.EnumerateArray()) ReadAllText(item);
        else if (value.ValueKind == JsonValueKind.Object)
            foreach (JsonProperty property in value.EnumerateObject())
            {
                _ = property.Name;
                ReadAllText(property.Value);
            }
    }

    /// <summary>Runs a read; an error of the file system becomes one that names the file.</summary>
    public static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new ModelException($"{path}: cannot be read: {OneLine(e.Message)}", e);
        }
    }

    /// <summary>What a value is, in words.</summary>
    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.Null => "null",
        JsonValueKind.Undefined => "nothing",
        _ => value.GetRawText() is { Length: > 60 } text ? string.Concat(text.AsSpan(0, 60), "...") : value.GetRawText(),
    };

    /// <summary>A text on one line.</summary>
    public static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
