using System.Text;

namespace Akka.Configuration.Hocon;

/// <summary>An object as it was written: fields are of HoconSource, List of object, or HoconPieces.</summary>
internal sealed class HoconSource
{
    public Dictionary<string, object> Fields { get; } = new(StringComparer.Ordinal);

    /// <summary>The object below, made or put in place of text where there is none.</summary>
    public HoconSource ObjectAt(List<string> keys, HoconParser parser)
    {
        var at = this;
        foreach (string key in keys)
        {
            if (!at.Fields.TryGetValue(key, out object value) || value is not HoconSource child)
            {
                if (value is HoconPieces { HasReference: true })
                    throw parser.Error($"fields cannot be added to {key}, which is a substitution; write its content out");
                at.Fields[key] = child = new HoconSource();
            }
            at = child;
        }
        return at;
    }
}

/// <summary>The pieces of one value on its line: text, or the path of a substitution.</summary>
internal sealed class HoconPieces
{
    private readonly List<(bool IsReference, string Text)> _pieces = [];

    public bool IsEmpty => _pieces.Count == 0;
    public bool HasReference => _pieces.Any(piece => piece.IsReference);
    public IReadOnlyList<(bool IsReference, string Text)> All => _pieces;
    public void AddText(string text) => _pieces.Add((false, text));
    public void AddReference(string path) => _pieces.Add((true, path));

    /// <summary>Blanks between pieces belong to the text; those before the first do not.</summary>
    public void AddBlanks(StringBuilder blanks)
    {
        if (!IsEmpty && blanks.Length > 0) AddText(blanks.ToString());
        blanks.Clear();
    }
}

/// <summary>Replaces substitutions by what they name in the same text.</summary>
internal sealed class HoconResolver(HoconSource root)
{
    private const int MaxDepth = 256;
    private readonly Dictionary<object, HoconValue> _done = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<object> _open = new(ReferenceEqualityComparer.Instance);

    public HoconValue Resolve() => Resolve(root);

    private HoconValue Resolve(object source)
    {
        if (_done.TryGetValue(source, out var known)) return known;
        if (!_open.Add(source)) throw new ConfigurationException("a substitution refers to itself");
        if (_open.Count > MaxDepth) throw new ConfigurationException($"substitutions and values nest at most {MaxDepth} deep");
        var value = source switch
        {
            HoconSource fields => new HoconValue(ResolveFields(fields)),
            List<object> items => new HoconValue(items.ConvertAll(Resolve)),
            _ => ResolvePieces((HoconPieces)source),
        };
        _open.Remove(source);
        return _done[source] = value;
    }

    private HoconObject ResolveFields(HoconSource source)
    {
        var result = new HoconObject();
        foreach (var (key, value) in source.Fields) result.Items[key] = Resolve(value);
        return result;
    }

    /// <summary>Blanks at both ends go, even quoted ones: Akka.NET reads it so.</summary>
    private HoconValue ResolvePieces(HoconPieces pieces)
    {
        if (pieces.All is [(true, var only)]) return Resolve(Find(only));
        var text = new StringBuilder();
        foreach (var (isReference, piece) in pieces.All)
        {
            if (!isReference) text.Append(piece);
            else if (Resolve(Find(piece)) is var value && value.IsString()) text.Append(value.GetString());
            else throw new ConfigurationException($"${{{piece}}} is no text: it cannot be joined with text");
        }
        return new HoconValue(text.ToString().Trim());
    }

    private object Find(string path)
    {
        object at = root;
        foreach (string key in HoconParser.SplitPath(path))
        {
            if (at is not HoconSource parent || !parent.Fields.TryGetValue(key, out at))
                throw new FormatException($"unresolved substitution ${{{path}}}");
        }
        return at;
    }
}
