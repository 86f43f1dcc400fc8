using Akka.Configuration;

namespace Troupe.Actors.Configuration;

/// <summary>
/// Settings from several texts over hocon/reference.conf: what the strongest sets wins, and every message knows which one that was.
/// </summary>
public sealed class ConfigLayers
{
    private readonly HoconText[] _texts;

    /// <summary>Puts texts over each other and checks that each of their keys is one of ours or Akka.NET's.</summary>
    /// <param name="strongestFirst">As the command line, then a file. hocon/reference.conf comes last by itself.</param>
    /// <exception cref="ConfigException">A key that nobody knows.</exception>
    public ConfigLayers(params HoconText[] strongestFirst)
    {
        foreach (HoconText text in strongestFirst) KnownKeys.Check(text);
        _texts = [.. strongestFirst, ReferenceConfig.Text];
        Config = _texts.Select(t => t.ToConfig()).Aggregate((over, under) => over.WithFallback(under));
    }

    /// <summary>All of them as one.</summary>
    public Config Config { get; }

    /// <summary>The same with one more text over it.</summary>
    public ConfigLayers With(HoconText stronger) => new([stronger, .. _texts[..^1]]);

    /// <summary>Makes Akka.NET say what it does, as -v asks.</summary>
    public static HoconText Verbose => HoconText.Of("-v", [new("akka.loglevel", "INFO")]);

    /// <summary>Which text, and which line, a key's value comes from; for messages.</summary>
    public string Where(string key)
    {
        HoconText? text = _texts.FirstOrDefault(t => t.LineOf(key) > 0);
        // A part of an object that came by a reference has no line of its own.
        return text is null ? _texts[0].Name : $"{text.Name}:{text.LineOf(key)}";
    }
}
