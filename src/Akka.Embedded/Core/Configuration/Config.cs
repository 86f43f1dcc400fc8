using Akka.Configuration.Hocon;

namespace Akka.Configuration;

public static class ConfigurationFactory
{
    public static Config Empty => Config.Empty;

    /// <summary>Reads HOCON in the dialect of akka-api.md; what Akka.NET would silently misread is refused here.</summary>
    /// <exception cref="ConfigurationException">A construct that is not accepted; the message names line and column.</exception>
    /// <exception cref="FormatException">A character or a substitution that is not accepted.</exception>
    public static Config ParseString(string hocon) => new(HoconParser.Parse(hocon ?? throw new ArgumentNullException(nameof(hocon))));
}

/// <summary>Settings by dotted path; keys with dots are quoted. A missing one reads as the default given, else 0, false or null.</summary>
public class Config
{
    public static readonly Config Empty = new(new HoconValue(new HoconObject()));

    internal Config(HoconValue root) => Root = root;

    public HoconValue Root { get; }

    public bool IsEmpty => Root.GetObject() is { Items.Count: 0 };

    public bool HasPath(string path) => GetValue(path) is not null;

    /// <summary>The value, or null.</summary>
    public HoconValue GetValue(string path)
    {
        var at = Root;
        foreach (string key in HoconParser.SplitPath(path))
        {
            if (at.GetObject() is not { } parent || !parent.Items.TryGetValue(key, out at)) return null;
        }
        return at;
    }

    /// <summary>What is under the path; null when there is nothing.</summary>
    public Config GetConfig(string path) => GetValue(path) is { } value ? new Config(value) : null;

    /// <summary>These settings over others. Objects merge, arrays and text do not.</summary>
    public virtual Config WithFallback(Config fallback)
    {
        if (fallback is null || fallback.IsEmpty) return this;
        if (IsEmpty) return fallback;
        return Root.GetObject() is { } own && fallback.Root.GetObject() is { } other
            ? new Config(new HoconValue(own.WithFallback(other))) : this;
    }

    public string GetString(string path, string @default = null) => GetValue(path) is { } value ? value.GetString() : @default;
    public bool GetBoolean(string path, bool @default = false) => GetValue(path) is { } value ? value.GetBoolean() : @default;
    public int GetInt(string path, int @default = 0) => GetValue(path) is { } value ? value.GetInt() : @default;
    public long GetLong(string path, long @default = 0) => GetValue(path) is { } value ? value.GetLong() : @default;
    public double GetDouble(string path, double @default = 0) => GetValue(path) is { } value ? value.GetDouble() : @default;

    /// <summary>`infinite` is Timeout.InfiniteTimeSpan, unless it is not allowed.</summary>
    public TimeSpan GetTimeSpan(string path, TimeSpan? @default = null, bool allowInfinite = true) =>
        GetValue(path) is { } value ? value.GetTimeSpan(allowInfinite) : @default ?? TimeSpan.Zero;

    public long? GetByteSize(string path, long? def = null) => GetValue(path) is { } value ? value.GetByteSize() : def;

    public IList<string> GetStringList(string path) =>
        GetValue(path) is { } value ? value.GetArray().Select(item => item.GetString()).ToList() : [];

    /// <summary>The keys of the first level.</summary>
    public IEnumerable<KeyValuePair<string, HoconValue>> AsEnumerable() => Root.GetObject() is { } root ? root.Items : [];

    public override string ToString() => Root.ToString();
}
