using System.Globalization;
using System.Text;

namespace Troupe.Model.Checkpoints;

/// <summary>
/// A model folder, file or argument that cannot be used. The message is one line that names the file and the key, what stood there,
/// and what was wanted: it can be shown to a user as it is, whatever the file holds.
/// </summary>
public sealed class ModelException : Exception
{
    /// <summary>The most characters of a message; of a longer one the middle is left out.</summary>
    public const int MaxLength = 2000;

    private const int Tail = 500;

    /// <summary>An error with a message fit for a user.</summary>
    public ModelException(string message) : base(OneLine(message)) { }

    /// <summary>The same, with what caused it.</summary>
    public ModelException(string message, Exception inner) : base(OneLine(message), inner) { }

    // Names and values of a file stand in messages: they may be long, and a control character would reach the terminal.
    private static string OneLine(string message)
    {
        if (message.Length > MaxLength) message = string.Concat(message.AsSpan(0, MaxLength - Tail - 5), " ... ",
            message.AsSpan(message.Length - Tail));
        if (!message.Any(Breaks)) return message;
        var line = new StringBuilder(message.Length);
        foreach (char c in message.ReplaceLineEndings(" "))
            if (!Breaks(c)) line.Append(c);
            else if (c is '\t' or '\v' or '\u2028' or '\u2029') line.Append(' ');
            else line.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
        return line.Length <= MaxLength ? line.ToString() : OneLine(line.ToString());
    }

    private static bool Breaks(char c) => char.IsControl(c) || c is '\u2028' or '\u2029';
}
