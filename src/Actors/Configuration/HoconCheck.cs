namespace Troupe.Actors.Configuration;

/// <summary>
/// Reads a HOCON text strictly and refuses whatever Akka.NET's parser would misread without a word: it takes <c>+=</c> for part of a key,
/// an extra brace for the end of the file, a missing value for the next line's key, and loops for ever on a stray character in an array.
/// Akka.NET's own parser then reads only what passed here.
/// </summary>
public static class HoconCheck
{
    /// <summary>The longest text that is looked at.</summary>
    public const int MaxCharacters = 1 << 20;

    private const int MaxDepth = 32;

    /// <summary>Checks a text and lists its keys.</summary>
    /// <exception cref="ConfigException">The first problem, with its line and what to write instead.</exception>
    public static HoconText Check(string name, string text)
    {
        if (text.Length > MaxCharacters)
            throw new ConfigException($"{name}: a configuration has at most {MaxCharacters} characters, got {text.Length}");
        text = text.TrimStart('\uFEFF').Replace("\r\n", "\n", StringComparison.Ordinal);
        var cursor = new HoconCursor(name, text);
        var keys = new HoconKeys(name);
        Document(cursor, keys);
        keys.CheckReferences();
        return new HoconText(name, text, keys.All);
    }

    private static void Document(HoconCursor cursor, HoconKeys keys)
    {
        cursor.SkipLines();
        int opened = cursor.Line;
        bool braces = cursor.Take('{');
        Fields(cursor, keys, "", braces ? opened : 0, depth: 0);
        cursor.SkipLines();
        if (!cursor.AtEnd) throw cursor.Refuse($"{cursor.Shown} after the closing brace of the settings: remove it, or the brace above it");
    }

    /// <summary>
    /// The fields of one object, to its closing brace; <paramref name="opened"/> is the line of its opening one, 0 for a file without.
    /// </summary>
    private static void Fields(HoconCursor cursor, HoconKeys keys, string prefix, int opened, int depth)
    {
        if (depth > MaxDepth) throw cursor.Refuse($"more than {MaxDepth} objects and arrays inside each other");
        while (true)
        {
            cursor.SkipLines();
            if (cursor.AtEnd)
            {
                if (opened > 0) throw cursor.Refuse($"the file ends before the {{ of line {opened} is closed: add a }}");
                return;
            }
            if (cursor.Peek == '}')
            {
                if (opened == 0) throw cursor.Refuse("this } closes nothing, and the rest of the file would be lost: remove it");
                cursor.Take('}');
                return;
            }
            if (cursor.Peek == ',') throw cursor.Refuse("a comma without a setting before it on its line: remove it");
            bool bare = Field(cursor, keys, prefix, depth);
            cursor.SkipBlanks();
            if (cursor.AtLineEnd || cursor.Peek == '}') continue;
            if (bare && cursor.Peek == ',') throw cursor.Refuse("no comma after an object without =: start a new line instead");
            if (!cursor.Take(',')) throw cursor.Refuse($"{cursor.Shown} after a value: start a new line, or quote the whole value");
        }
    }

    /// <summary>One key and its value. True for `key { .. }` without an assignment.</summary>
    private static bool Field(HoconCursor cursor, HoconKeys keys, string prefix, int depth)
    {
        int line = cursor.Line;
        string key = cursor.Key();
        string path = prefix.Length == 0 ? key : $"{prefix}.{key}";
        cursor.SkipBlanks();
        if (cursor.Peek == '{')
        {
            keys.Add(path, line, HoconKind.Object);
            cursor.Take('{');
            Fields(cursor, keys, path, line, depth + 1);
            return true;
        }
        if (cursor.Ahead("+=")) throw cursor.Refuse("+= is not understood by Akka.NET: write the whole list with =");
        if (!cursor.Take('=') && !cursor.Take(':'))
        {
            throw cursor.Refuse(key == "include" ? "include is not understood by Akka.NET: put the settings in this file"
                : cursor.AtLineEnd ? $"{key} has neither = nor {{ on its line"
                : $"{cursor.Shown} after the key {key}: wanted = or {{, or quotes around the key");
        }
        cursor.SkipBlanks();
        if (cursor.AtLineEnd || cursor.Peek is ',' or '}')
            throw cursor.Refuse($"{key} has no value on its line, so the next line would be its value: write \"\" for empty text");
        Value(cursor, keys, path, line, depth);
        return false;
    }

    private static void Value(HoconCursor cursor, HoconKeys keys, string path, int line, int depth)
    {
        if (cursor.Peek == '{')
        {
            keys.Add(path, line, HoconKind.Object);
            int opened = cursor.Line;
            cursor.Take('{');
            Fields(cursor, keys, path, opened, depth + 1);
        }
        else if (cursor.Peek == '[')
        {
            keys.Add(path, line, HoconKind.Array);
            Elements(cursor, keys, path, depth + 1);
        }
        else keys.Add(path, line, Pieces(cursor, keys, path, inArray: false) ? HoconKind.Reference : HoconKind.Text);
    }

    /// <summary>Texts and references that stand beside each other and are joined. True when there is a reference among them.</summary>
    private static bool Pieces(HoconCursor cursor, HoconKeys keys, string path, bool inArray)
    {
        bool reference = false;
        for (int pieces = 0; ; pieces++)
        {
            cursor.SkipBlanks();
            if (cursor.AtLineEnd || cursor.Peek is ',' or '}' or ']') return reference;
            // The array's own check says what is wrong with these.
            if (pieces > 0 && inArray && (cursor.Peek is ':' or '=')) return reference;
            if (pieces > 0 && cursor.Peek is '{' or '[')
                throw cursor.Refuse($"{cursor.Shown} after other text: Akka.NET would lose one of them; give it a key of its own");
            if (pieces > 0 && inArray) throw cursor.Refuse("two texts in an array without a comma would become one: put a comma or quotes");
            if (cursor.Peek == '"') cursor.Quoted();
            else if (cursor.Peek == '$')
            {
                keys.Refer(path, cursor.Line, cursor.Reference());
                reference = true;
            }
            else cursor.Unquoted();
        }
    }

    private static void Elements(HoconCursor cursor, HoconKeys keys, string path, int depth)
    {
        if (depth > MaxDepth) throw cursor.Refuse($"more than {MaxDepth} objects and arrays inside each other");
        int opened = cursor.Line;
        cursor.Take('[');
        while (true)
        {
            cursor.SkipLines();
            if (cursor.AtEnd) throw cursor.Refuse($"the file ends before the [ of line {opened} is closed: add a ]");
            if (cursor.Take(']')) return;
            if (cursor.Peek == ',')
                throw cursor.Refuse("a comma without an element before it on its line would add an empty one: move or remove it");
            if (cursor.Peek == '}') throw cursor.Refuse($"this }} stands inside the [ of line {opened}, which is not closed: add a ]");
            if (cursor.Peek is '{' or '[') Value(cursor, keys, path + HoconKeys.Element, cursor.Line, depth);
            else Pieces(cursor, keys, path, inArray: true);
            cursor.SkipBlanks();
            if (cursor.AtLineEnd || cursor.Peek == ']' || cursor.Take(',')) continue;
            throw cursor.Refuse(cursor.Peek is ':' or '='
                ? $"{cursor.Shown} inside an array, on which Akka.NET loops for ever: an element with a key needs braces"
                : $"{cursor.Shown} after an element: separate elements by commas");
        }
    }
}
