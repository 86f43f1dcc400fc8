using System.Globalization;
using Akka.Configuration.Hocon;

namespace Akka.Configuration.Hocon;

/// <summary>A value of a configuration: text, an array, an object, or null. Immutable once its document is read.</summary>
public class HoconValue
{
    private readonly object _content;

    /// <summary>Of a string, a List of HoconValue, a HoconObject or null.</summary>
    internal HoconValue(object content) => _content = content;

    public bool IsString() => _content is string;
    public bool IsObject() => _content is HoconObject;
    public bool IsArray() => _content is List<HoconValue>;

    /// <summary>The text; null for null and for what is no text.</summary>
    public string GetString() => _content as string is { } text && text != "null" ? text : null;

    /// <exception cref="ConfigurationException">It is no array.</exception>
    public IList<HoconValue> GetArray() => _content as List<HoconValue>
        ?? throw new ConfigurationException($"wanted an array like [a, b], got {this}");

    /// <summary>The object, or null.</summary>
    public HoconObject GetObject() => _content as HoconObject;

    /// <exception cref="NotSupportedException">It is neither on, off, true nor false.</exception>
    public bool GetBoolean() => GetString() switch
    {
        "on" or "true" => true,
        "off" or "false" => false,
        null => false,
        var text => throw new NotSupportedException($"wanted on, off, true or false, got {text}"),
    };

    public int GetInt() => int.Parse(GetString() ?? "0", NumberStyles.Integer, CultureInfo.InvariantCulture);
    public long GetLong() => long.Parse(GetString() ?? "0", NumberStyles.Integer, CultureInfo.InvariantCulture);
    public double GetDouble() => double.Parse(GetString() ?? "0", NumberStyles.Float, CultureInfo.InvariantCulture);

    /// <exception cref="FormatException">It is no duration.</exception>
    public TimeSpan GetTimeSpan(bool allowInfinite = true)
    {
        string text = GetString();
        if (allowInfinite && text == "infinite") return Timeout.InfiniteTimeSpan;
        (decimal number, string unit) = Split(text);
        decimal ticks = unit switch
        {
            "ns" or "nano" or "nanos" or "nanosecond" or "nanoseconds" => 0.01m,
            "micro" or "micros" or "microsecond" or "microseconds" => TimeSpan.TicksPerMicrosecond,
            "" or "ms" or "milli" or "millis" or "millisecond" or "milliseconds" => TimeSpan.TicksPerMillisecond,
            "s" or "second" or "seconds" => TimeSpan.TicksPerSecond,
            "m" or "minute" or "minutes" => TimeSpan.TicksPerMinute,
            "h" or "hour" or "hours" => TimeSpan.TicksPerHour,
            "d" or "day" or "days" => TimeSpan.TicksPerDay,
            _ => throw new FormatException($"wanted a duration like 10 ms, 5s or 1.5 m, got {text}"),
        };
        return new TimeSpan((long)(number * ticks));
    }

    /// <summary>Bytes; null for null.</summary>
    /// <exception cref="FormatException">It is no size.</exception>
    public long? GetByteSize()
    {
        string text = GetString();
        if (text is null) return null;
        (decimal number, string unit) = Split(text);
        long factor = unit switch
        {
            "" or "b" or "B" or "byte" or "bytes" => 1,
            "kB" or "kilobyte" or "kilobytes" => 1000,
            "MB" or "megabyte" or "megabytes" => 1000_000,
            "GB" or "gigabyte" or "gigabytes" => 1000_000_000,
            "k" or "K" or "Ki" or "KiB" or "kibibyte" or "kibibytes" => 1L << 10,
            "m" or "M" or "Mi" or "MiB" or "mebibyte" or "mebibytes" => 1L << 20,
            "g" or "G" or "Gi" or "GiB" or "gibibyte" or "gibibytes" => 1L << 30,
            _ => 0,
        };
        return factor != 0 && number == decimal.Truncate(number)
            ? (long)number * factor : throw new FormatException($"wanted whole bytes like 128000b, 64 KiB or 1 MB, got {text}");
    }

    private static (decimal Number, string Unit) Split(string text)
    {
        text = (text ?? "").Trim();
        int end = 0;
        while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] == '.')) end++;
        return decimal.TryParse(text.AsSpan(0, end), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)
            ? (number, text[end..].Trim()) : throw new FormatException($"wanted a number with a unit, got {text}");
    }

    /// <summary>As HOCON.</summary>
    public override string ToString() => _content switch
    {
        null => "null",
        string text => $"\"{text.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")}\"",
        List<HoconValue> items => $"[{string.Join(", ", items)}]",
        var other => other.ToString(),
    };
}

/// <summary>Named values. Keys are case-sensitive.</summary>
public class HoconObject
{
    public Dictionary<string, HoconValue> Items { get; } = new(StringComparer.Ordinal);

    /// <summary>Ours, and what they lack from the other; objects under one key merge, all else of ours wins.</summary>
    internal HoconObject WithFallback(HoconObject other)
    {
        var merged = new HoconObject();
        foreach (var (key, value) in Items) merged.Items[key] = value;
        foreach (var (key, value) in other.Items)
        {
            if (!Items.TryGetValue(key, out var own)) merged.Items[key] = value;
            else if (own.GetObject() is { } a && value.GetObject() is { } b) merged.Items[key] = new HoconValue(a.WithFallback(b));
        }
        return merged;
    }

    public override string ToString() => $"{{ {string.Join(", ", Items.Select(item => $"\"{item.Key}\" : {item.Value}"))} }}";
}
