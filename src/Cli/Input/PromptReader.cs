using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Troupe.Cli.Options;
using Troupe.Cli.Output;

namespace Troupe.Cli.Input;

/// <summary>
/// Reads prompts from arguments, from JSONL and from the standard input. Whatever is wrong with one is an error that says where it stands.
/// </summary>
internal static class PromptReader
{
    /// <summary>The longest line or standard input that is read.</summary>
    public const int MaxBytes = 16 << 20;

    /// <summary>Prompts that are arguments.</summary>
    /// <exception cref="UsageException">One is empty or not text.</exception>
    public static IEnumerable<Prompt> FromArguments(IReadOnlyList<string> arguments)
    {
        for (int i = 0; i < arguments.Count; i++)
        {
            string where = arguments.Count == 1 ? "the prompt" : $"prompt {i + 1}";
            if (arguments[i].Length == 0) throw new UsageException($"{where} is empty: give some text");
            // The runtime turns bytes of an argument that are not UTF-8 into U+FFFD.
            if (arguments[i].Contains('\uFFFD'))
                throw new UsageException($"{where} is not valid UTF-8; give it through --file or stdin to keep its bytes visible");
            yield return new Prompt(where, arguments[i]);
        }
    }

    /// <summary>The standard input as one prompt; the line end that ends it is left out.</summary>
    /// <exception cref="FailedException">It is empty, too long or not UTF-8.</exception>
    public static Prompt FromInput(Shell shell)
    {
        using Stream input = shell.OpenInput();
        var bytes = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        for (int read; (read = input.Read(buffer)) > 0;)
        {
            bytes.Write(buffer, 0, read);
            if (bytes.Length > MaxBytes) throw new FailedException($"stdin: more than {MaxBytes} bytes; shorten the prompt");
        }
        ReadOnlySpan<byte> text = bytes.GetBuffer().AsSpan(0, (int)bytes.Length);
        if (text.EndsWith("\r\n"u8)) text = text[..^2];
        else if (text.EndsWith("\n"u8)) text = text[..^1];
        if (!Utf8.IsValid(text)) throw new FailedException($"stdin line {LineOfInvalid(text)}: not valid UTF-8");
        if (text.IsEmpty) throw new FailedException("stdin: the prompt is empty: write some text");
        return new Prompt("stdin", Encoding.UTF8.GetString(text));
    }

    /// <summary>
    /// Prompts of a JSONL file, one a line: a JSON string, or an object with prompt and what the request wants. <c>-</c> is stdin.
    /// </summary>
    /// <exception cref="FailedException">The file or a line cannot be used.</exception>
    public static IReadOnlyList<Prompt> FromFile(string file, Shell shell, GenerationSettings settings)
    {
        string name = file == "-" ? "stdin" : file;
        using Stream stream = file == "-" ? shell.OpenInput() : OpenFile(file);
        var prompts = new List<Prompt>();
        int number = 0;
        foreach (byte[] line in JsonLines.Read(stream, name, MaxBytes))
        {
            number++;
            if (line.AsSpan().ContainsAnyExcept(" \t\r"u8)) prompts.Add(PromptLine.Parse(line, $"{name} line {number}", settings));
        }
        return prompts.Count > 0 ? prompts : throw new FailedException($"{name}: no prompts: write one JSON string a line");
    }

    /// <summary>Opens a file that the user named.</summary>
    /// <exception cref="FailedException">It cannot be opened.</exception>
    public static Stream OpenFile(string file)
    {
        try
        {
            return File.OpenRead(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new FailedException(e is FileNotFoundException or DirectoryNotFoundException ? $"{file}: no such file"
                : Directory.Exists(file) ? $"{file}: is a folder, a file is wanted" : $"{file}: cannot be read: {e.Message}");
        }
    }

    private static int LineOfInvalid(ReadOnlySpan<byte> text)
    {
        int line = 1;
        while (text.IndexOf((byte)'\n') is >= 0 and int end && Utf8.IsValid(text[..end]))
        {
            line++;
            text = text[(end + 1)..];
        }
        return line;
    }
}

/// <summary>Lines of a stream as bytes.</summary>
internal static class JsonLines
{
    /// <summary>Each line without its line feed, lazily.</summary>
    /// <exception cref="FailedException">A line is too long.</exception>
    public static IEnumerable<byte[]> Read(Stream stream, string name, int maxBytes)
    {
        byte[] buffer = new byte[1 << 16];
        var line = new MemoryStream();
        int number = 1;
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            int at = 0;
            while (Array.IndexOf(buffer, (byte)'\n', at, read - at) is >= 0 and int end)
            {
                line.Write(buffer, at, end - at);
                yield return line.ToArray();
                line.SetLength(0);
                at = end + 1;
                number++;
            }
            line.Write(buffer, at, read - at);
            if (line.Length > maxBytes) throw new FailedException($"{name} line {number}: more than {maxBytes} bytes; shorten it");
        }
        if (line.Length > 0) yield return line.ToArray();
    }
}
