using System.Globalization;
using System.Text;

namespace Troupe.Testing.Fuzz;

/// <summary>Damage that knows JSON: values of other kinds, keys that lack or come twice, sizes that overflow, depth.</summary>
/// <param name="keys">Keys that the reader of these texts knows.</param>
/// <param name="values">Values that it may take for some of them, as JSON.</param>
/// <param name="typed">Values, as JSON, that make sense for a key.</param>
public sealed class JsonMutator(string[] keys, string[] values, IReadOnlyDictionary<string, string[]> typed)
{
    private static readonly string[] s_nasty =
    [
        "0", "-0", "-1", "1", "2", "3", "7", "8", "255", "65536", "1000000", "2147483647", "2147483648", "4294967296", "-2147483648",
        "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551616", "1e400", "-1e400",
        "1e-400", "5e-324", "1.7976931348623157e308", "0.5", "1.5", "-0.1", "1e1", "1E+2", "0.1e1", "NaN", "Infinity", "01", "1.", "true",
        "false", "null", "\"\"", "\"x\"", "\"0\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\u0000\"", "\"\\u001b[31m\\r\\n\"", "\"\\\"\"",
        "\"\u2028\U0001F600e\u0301\"", "[]", "[[]]", "[null]", "[0]", "[1, 2]", "{}", "{\"\": {}}", "{\"a\": 1, \"a\": 2}", "'x'", "",
    ];

    /// <summary>The text with a few changes; some of another text too.</summary>
    public byte[] Mutate(byte[] json, byte[] other, Random random)
    {
        for (bool more = true; more; more = random.Next(2) == 0)
            json = JsonTree.Of(json) is { } tree ? Once(json, tree, other, random) : ByteMutator.Mutate(json, other, random);
        return random.Next(10) == 0 ? ByteMutator.Mutate(json, other, random) : json;
    }

    private byte[] Once(byte[] json, JsonTree tree, byte[] other, Random random)
    {
        JsonTree.Value value = tree.Any(random);
        if (random.Next(3) == 0 && KeyOf(json, value) is { } key && typed.TryGetValue(key, out string[]? good))
            return Put(json, value.Start, value.End, Bytes(good[random.Next(good.Length)]));
        switch (random.Next(11))
        {
            case 0 or 1 or 2:
                return Put(json, value.Start, value.End, Bytes(s_nasty[random.Next(s_nasty.Length)]));
            case 3 when values.Length > 0:
                return Put(json, value.Start, value.End, Bytes(values[random.Next(values.Length)]));
            case 4:
                return Without(json, value);
            case 5:
                return Put(json, value.From, value.From, [.. json.AsSpan(value.From, value.End - value.From), (byte)',']);
            case 6:
                JsonTree.Value from = tree.Any(random);
                return Put(json, value.Start, value.End, json.AsSpan(from.Start, from.End - from.Start));
            case 7 when value.KeyStart >= 0:
                return Put(json, value.From, value.From, Bytes($"\"{Key(random)}\": {Some(random)}, "));
            case 8:
                return Put(json, value.Start, value.End, Number(json, value, random));
            case 9:
                return Put(json, value.Start, value.End, Large(json[value.Start..value.End], random));
            default:
                JsonTree? theirs = JsonTree.Of(other);
                return theirs?.Any(random) is { } there ? Put(json, value.Start, value.End, other.AsSpan(there.Start,
                    there.End - there.Start)) : json;
        }
    }

    private static string? KeyOf(byte[] json, JsonTree.Value value)
    {
        if (value.KeyStart < 0) return null;
        ReadOnlySpan<byte> key = json.AsSpan(value.KeyStart + 1);
        return key.IndexOf((byte)'"') is >= 0 and < 100 and int length ? Encoding.UTF8.GetString(key[..length]) : null;
    }

    private string Key(Random random) => keys.Length > 0 ? keys[random.Next(keys.Length)] : "x";

    private string Some(Random random) => values.Length > 0 && random.Next(2) == 0 ? values[random.Next(values.Length)]
        : s_nasty[random.Next(s_nasty.Length)];

    private static byte[] Without(byte[] json, JsonTree.Value value)
    {
        int end = value.End, start = value.From;
        while (end < json.Length && json[end] is 9 or 10 or 13 or 32) end++;
        if (end < json.Length && json[end] == ',') return Put(json, start, end + 1, []);
        while (start > 0 && json[start - 1] is 9 or 10 or 13 or 32) start--;
        return Put(json, start > 0 && json[start - 1] == ',' ? start - 1 : start, value.End, []);
    }

    // A number near to the one that stood there, or one of its size as if it were counted otherwise.
    private static byte[] Number(byte[] json, JsonTree.Value value, Random random)
    {
        string text = Encoding.UTF8.GetString(json, value.Start, value.End - value.Start);
        if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)) return Bytes(text + "0");
        number = unchecked(random.Next(7) switch
        {
            0 => number + 1,
            1 => number - 1,
            2 => number * 2,
            3 => number / 2,
            4 => -number,
            5 => number << random.Next(64),
            _ => random.Next(),
        });
        return Bytes(number.ToString(CultureInfo.InvariantCulture));
    }

    private static byte[] Large(byte[] value, Random random)
    {
        int times = 1 << random.Next(1, 11);
        switch (random.Next(5))
        {
            case 0: return [.. Bytes(new string('[', times)), .. value, .. Bytes(new string(']', times))];
            case 1: return [.. Bytes(string.Concat(Enumerable.Repeat("{\"a\":", times))), .. value, .. Bytes(new string('}', times))];
            case 2: return Bytes($"\"{new string('y', 3 * times)}\"");
            case 3: return Bytes($"[{string.Join(',', Enumerable.Range(0, times))}]");
            default: return Bytes($"{(random.Next(2) == 0 ? "-" : "")}1{new string('0', times)}");
        }
    }

    private static byte[] Put(byte[] json, int start, int end, ReadOnlySpan<byte> with) => [.. json.AsSpan(0, start), .. with,
        .. json.AsSpan(end)];

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
