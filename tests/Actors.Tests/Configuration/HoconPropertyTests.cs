using System.Text;
using Troupe.Actors.Configuration;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Configuration;

/// <summary>Random texts of known content: what the check lets pass, the provider's own parser must read as it was meant.</summary>
public sealed class HoconPropertyTests
{
    private static readonly string[] s_values =
        ["1", "5s", "a b", "models/x", "\"q:=[]{}#//\"", "\"\"", "\"\"\"raw \" text\"\"\"", "\"\\t\\\"\"", "-0.5", "on", "\"tail\" end",
            "\"${x}\""];

    private static readonly string[] s_meanings =
        ["1", "5s", "a b", "models/x", "q:=[]{}#//", "", "raw \" text", "\t\"", "-0.5", "on", "tail end", "${x}"];

    [Fact]
    public void Texts_that_pass_are_read_as_they_were_meant()
    {
        Random random = Seed.For(nameof(Texts_that_pass_are_read_as_they_were_meant));
        for (int round = 0; round < 300; round++)
        {
            var meant = new Dictionary<string, string>(StringComparer.Ordinal);
            var text = new StringBuilder();
            bool braces = random.Next(4) == 0;
            if (braces) text.Append("{\n");
            Fields(random, text, "", 0, meant);
            if (braces) text.Append('}');
            var config = HoconText.Parse($"round {round}", text.ToString()).ToConfig();
            foreach ((string path, string value) in meant)
            {
                string? read = path.EndsWith("[]", StringComparison.Ordinal)
                    ? string.Join('|', config.GetStringList(path[..^2]).Select(v => v.Trim())) : config.GetString(path);
                // Akka.NET trims texts at both ends.
                Assert.True(read?.Trim() == value.Trim(), $"round {round}, {path}: meant '{value}', read '{read}' from\n{text}");
            }
        }
    }

    [Fact]
    public void Broken_texts_are_refused_or_still_read_in_bounded_time()
    {
        Random random = Seed.For(nameof(Broken_texts_are_refused_or_still_read_in_bounded_time));
        const string Noise = "{}[]\"=:,#+$\n .a1\\@";
        int refused = 0;
        for (int round = 0; round < 2000; round++)
        {
            var text = new StringBuilder();
            Fields(random, text, "", 0, new Dictionary<string, string>(StringComparer.Ordinal));
            for (int edits = random.Next(1, 4); edits > 0; edits--)
            {
                int at = random.Next(text.Length);
                if (random.Next(2) == 0) text.Remove(at, 1);
                else text.Insert(at, Noise[random.Next(Noise.Length)]);
            }
            HoconText passed;
            try
            {
                passed = HoconText.Parse("x.conf", text.ToString());
            }
            catch (ConfigException)
            {
                refused++;
                continue;
            }
            // A key that was noted is there for the parser too: nothing is lost.
            var config = passed.ToConfig();
            foreach (HoconKey key in passed.Keys)
                Assert.True(config.HasPath(key.Path), $"round {round}: {key.Path} of line {key.Line} was lost from\n{text}");
        }
        Assert.InRange(refused, 200, 1999);
    }

    private static void Fields(Random random, StringBuilder text, string prefix, int depth, Dictionary<string, string> meant)
    {
        int count = random.Next(1, 5);
        for (int i = 0; i < count; i++)
        {
            // Keys that no other field shares: what later ones do to earlier ones has tests of its own.
            string key = random.Next(4) == 0 ? $"\"k.{i}\"" : $"k{i}";
            string path = prefix + key;
            text.Append(' ', 2 * depth);
            switch (depth < 3 ? random.Next(5) : random.Next(3))
            {
                case 0:
                    int[] picks = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(10)).Where(p => p != 2)];
                    text.Append(key).Append(" = [").AppendJoin(random.Next(2) == 0 ? ", " : "\n", picks.Select(p => s_values[p]))
                        .Append(']');
                    meant[path + "[]"] = string.Join('|', picks.Select(p => s_meanings[p].Trim()));
                    break;
                case 3:
                    text.Append(key).Append(random.Next(2) == 0 ? " {\n" : " = {\n");
                    Fields(random, text, path + ".", depth + 1, meant);
                    text.Append(' ', 2 * depth).Append('}');
                    break;
                case 4:
                    text.Append(key).Append('.');
                    int value = random.Next(s_values.Length);
                    text.Append("x = ").Append(s_values[value]);
                    meant[path + ".x"] = s_meanings[value];
                    break;
                default:
                    int plain = random.Next(s_values.Length);
                    text.Append(key).Append(random.Next(2) == 0 ? " = " : ": ").Append(s_values[plain]);
                    meant[path] = s_meanings[plain];
                    break;
            }
            text.Append(random.Next(5) == 0 ? " # note\n" : random.Next(5) == 0 ? "\n\n" : "\n");
        }
    }
}
