using System.Text.Json;

namespace Troupe.Testing.Fuzz;

/// <summary>Where the values of a JSON text lie in its bytes, and in which others.</summary>
public sealed class JsonTree
{
    private readonly List<Value> _values = [];

    private JsonTree() { }

    /// <summary>A value: bytes [Start, End), its key's from KeyStart on (-1 in a list), and the values right inside it.</summary>
    public sealed record Value(int KeyStart, int Start, int Parent)
    {
        /// <summary>The byte behind it.</summary>
        public int End { get; set; }

        /// <summary>What lies right inside it, by place in the tree.</summary>
        public List<int> Inside { get; } = [];

        /// <summary>Where it begins with its key.</summary>
        public int From => KeyStart < 0 ? Start : KeyStart;
    }

    /// <summary>All values, the whole text first.</summary>
    public IReadOnlyList<Value> Values => _values;

    /// <summary>The tree of a text, or null where it is no JSON.</summary>
    public static JsonTree? Of(byte[] json)
    {
        var tree = new JsonTree();
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 2000 });
            int key = -1, within = -1;
            while (reader.Read())
            {
                int start = (int)reader.TokenStartIndex, end = (int)reader.BytesConsumed;
                if (reader.TokenType == JsonTokenType.PropertyName)
                {
                    key = start;
                }
                else if (reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray)
                {
                    tree._values[within].End = end;
                    within = tree._values[within].Parent;
                }
                else
                {
                    if (within >= 0) tree._values[within].Inside.Add(tree._values.Count);
                    tree._values.Add(new Value(key, start, within) { End = end });
                    key = -1;
                    if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray) within = tree._values.Count - 1;
                }
            }
            return tree;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>A value, large lists and objects no likelier than small ones.</summary>
    public Value Any(Random random)
    {
        Value at = _values[0];
        while (at.Inside.Count > 0 && (at.Parent < 0 || random.Next(4) > 0)) at = _values[at.Inside[random.Next(at.Inside.Count)]];
        return at;
    }
}
