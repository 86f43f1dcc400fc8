using System.Text;
using Akka.Configuration;

namespace Troupe.Actors.Configuration;

/// <summary>A HOCON text that passed <see cref="HoconCheck"/>, with the line of each of its keys for messages.</summary>
/// <param name="Name">What people call it: a path, "command line", "standard input".</param>
/// <param name="Text">The text, with line feeds only.</param>
/// <param name="Keys">Its keys in the order written; a key that is set twice is here twice.</param>
public sealed record HoconText(string Name, string Text, IReadOnlyList<HoconKey> Keys)
{
    /// <summary>Checks a text.</summary>
    /// <exception cref="ConfigException">It is not strict HOCON; the message names the line.</exception>
    public static HoconText Parse(string name, string text) => HoconCheck.Check(name, text);

    /// <summary>Reads and checks a file.</summary>
    /// <exception cref="ConfigException">It cannot be read, is no UTF-8, or is not strict HOCON.</exception>
    public static HoconText Load(string path)
    {
        string text;
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > HoconCheck.MaxCharacters } large)
                throw new ConfigException($"{path}: a configuration has at most {HoconCheck.MaxCharacters} bytes, got {large.Length}");
            text = File.ReadAllText(path, new UTF8Encoding(false, throwOnInvalidBytes: true));
        }
        catch (DecoderFallbackException e)
        {
            throw new ConfigException($"{path}: this is no UTF-8 text", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException(
                $"{path}: cannot be read: {(e is FileNotFoundException or DirectoryNotFoundException ? "no such file" : e.Message)}", e);
        }
        return Parse(path, text);
    }

    /// <summary>Settings given one by one, as a command line has them; each value is taken as text.</summary>
    /// <param name="name">What people call their source.</param>
    /// <param name="settings">Full keys and values.</param>
    public static HoconText Of(string name, IEnumerable<KeyValuePair<string, string>> settings)
    {
        var text = new StringBuilder();
        foreach ((string key, string value) in settings) text.Append(key).Append(" = ").Append(Quote(value)).Append('\n');
        return Parse(name, text.ToString());
    }

    /// <summary>A value in quotes, as HOCON wants it when it holds more than letters and digits.</summary>
    public static string Quote(string value)
    {
        var quoted = new StringBuilder("\"");
        foreach (char c in value)
        {
            quoted.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ when char.IsControl(c) => $"\\u{(int)c:x4}",
                _ => c.ToString(),
            });
        }
        return quoted.Append('"').ToString();
    }

    /// <summary>Its settings. A final line feed keeps a comment on the last line from being misread.</summary>
    public Config ToConfig()
    {
        try
        {
            return ConfigurationFactory.ParseString(Text + "\n");
        }
        catch (Exception e)
        {
            // The check is meant to be at least as strict as the parser; where it is not, the parser's words still name the file.
            throw new ConfigException($"{Name}: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    /// <summary>The line that last set a key.</summary>
    /// <returns>0 when the text does not set it.</returns>
    public int LineOf(string key) => Keys.LastOrDefault(k => k.Path == key)?.Line ?? 0;
}

/// <summary>A key that a text sets.</summary>
/// <param name="Path">In full from the root; parts that hold more than letters, digits, '-', '_' and '/' are in quotes.</param>
/// <param name="Line">Counted from 1.</param>
/// <param name="Kind">What it is set to.</param>
public sealed record HoconKey(string Path, int Line, HoconKind Kind);

/// <summary>What a key is set to.</summary>
public enum HoconKind
{
    /// <summary>Text, a number, a duration.</summary>
    Text,

    /// <summary>A list in brackets.</summary>
    Array,

    /// <summary>Keys in braces.</summary>
    Object,

    /// <summary>Something with a ${path} in it.</summary>
    Reference,
}
