using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Troupe.Model.Chat;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Troupe.Testing.Fuzz;

namespace Troupe.Model.Tests.Fuzz;

/// <summary>Chat templates, damaged word by word, and rendered with real arguments within a budget of steps.</summary>
internal sealed class TemplateTarget : FuzzTarget
{
    // Some renderings get the whole budget, most a small one, so that a run of many is short.
    private const long Steps = 20_000;
    private const int Rare = 2000;

    private static readonly string[] s_words =
    [
        .. ("if elif else endif for in endfor set endset macro endmacro call endcall filter endfilter with endwith "
            + "generation endgeneration break continue raw endraw recursive not and or is none true false")
            .Split(' '),
        .. ("messages message tools loop ns bos_token eos_token add_generation_prompt range namespace dict raise_exception "
            + "strftime_now caller content role")
            .Split(' '),
        .. ("default trim upper lower capitalize title string safe escape replace indent length count wordcount tojson int "
            + "float abs round format attr list first last reverse join map select reject selectattr rejectattr sort unique "
            + "min max sum groupby batch items dictsort")
            .Split(' '),
        .. ("strip lstrip rstrip split rsplit splitlines partition rpartition startswith endswith find rfind index count "
            + "isdigit swapcase removeprefix zfill ljust rjust format get keys values copy append pop")
            .Split(' ').Select(name => $".{name}("),
        .. "defined undefined boolean integer number string mapping iterable sequence callable odd even divisibleby sameas eq lt in"
            .Split(' ')
            .Select(name => $" is {name} "),
        "{{", "}}", "{%", "%}", "{#", "#}", "{%-", "-%}", "(", ")", "[", "]", "{", "}", "|", ".", ",", ":", "=", "==", "!=", "<=", "~",
        "+", "-", "*", "**",
        "/", "//", "%", "'", "\"", "\\", "\n", "''", "'a'", "0", "1", "-1", "2", "1000000000", "9223372036854775807",
        "(-9223372036854775807 - 1)", "1e400", "0x7f",
        "1e308", "range(10**9)", "range(9)", "'x' * 10**9", "'ab' * 1000000", "[[0] * 9] * 9", "messages|tojson(indent=4)",
        "|map('map', 'list')", "*messages",
        "**message", "[::-1]", "[-1]", "[1:2:3]", "|batch(1000000, 'x')", "|indent(-1000000000000)", "|replace('', 'abc')",
        "%s %d %-9.3f", "{0:>9}", "'é\U0001F600'",
        "{% set ns = namespace(x=[]) %}", "{% set ns.x = [ns.x, ns.x] %}", "{% set a = a ~ a %}",
        "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
        "{% for i in range(999) %}{% for j in range(999) %}{% endfor %}{% endfor %}", "\\u0000", "\\U0010ffff", "\\ud800", "\u2028", "\0",
    ];

    private static readonly TextMutator s_text = new(s_words,
        [("(", ")"), ("[", "]"), ("{1:", "}"), ("(1 + ", ")"), ("{% if 1 %}", "{% endif %}"), ("{% for a in [1] %}", "{% endfor %}"),
        ("not ", ""), ("-", ""),
            ("", ".a"), ("", "[0]"), ("", "|list"), ("", "()"), ("", " is defined"), ("'' ", ""), ("1 if 1 else ", ""), ("1 and ", ""),
            ("1 + ", ""),
            ("{% macro a() %}", "{% endmacro %}"), ("{% filter upper %}", "{% endfilter %}"), ("{% call m() %}", "{% endcall %}"), ("{#",
            "#}"), ("{{", "}}"),
            ("f(", ")"), ("a[", "]"), ("{% set x %}", "{% endset %}"), ("{% elif 1 %}", ""), ("a, ", "")]);

    private readonly List<byte[]> _seeds = [];
    private readonly List<JsonElement> _arguments = [];

    public TemplateTarget()
    {
        foreach (JsonProperty template in Read(Repository.At("tests", "goldens", "chat",
            "golden.json")).GetProperty("templates").EnumerateObject())
        {
            _seeds.Add(Encoding.UTF8.GetBytes(template.Value.GetProperty("chat_template").GetString()!));
            foreach (JsonElement golden in template.Value.GetProperty("cases").EnumerateArray())
            {
                JsonObject arguments = JsonNode.Parse(template.Value.GetProperty("special_tokens").GetRawText())!.AsObject();
                foreach (JsonProperty argument in golden.GetProperty("arguments").EnumerateObject())
                    arguments[argument.Name] = JsonNode.Parse(argument.Value.GetRawText());
                if (golden.TryGetProperty("rendered", out _)) _arguments.Add(JsonDocument.Parse(arguments.ToJsonString()).RootElement);
            }
        }
        foreach (JsonElement golden in Read(Repository.At("tests", "Model.Tests", "Chat",
            "expressions.json")).GetProperty("cases").EnumerateArray())
            if (golden.TryGetProperty("rendered", out _)) _seeds.Add(Encoding.UTF8.GetBytes(golden.GetProperty("template").GetString()!));
    }

    public override string Kind => "templates";

    public override int Cases => 19_500;

    public override IReadOnlyList<byte[]> Seeds => _seeds;

    // Some want messages that take turns.
    public override bool SeedsLoad => false;

    public override bool IsRefusal(Exception e) => e is ModelException;

    // The tree of a template is in proportion to its text; a rendering to its steps, of which each may make some objects, and to one text
    // of the most characters, which a builder of texts and its outcome both hold.
    public override long MayAllocate(int inputBytes) => 4L * 2 * TemplateBudget.MaxText + 2000L * inputBytes
        + 1000L * TemplateBudget.MaxSteps;

    public override byte[] Make(Random random) =>
        s_text.Mutate(_seeds[random.Next(_seeds.Count)], _seeds[random.Next(_seeds.Count)], random);

    public override void Use(byte[] input, Random random)
    {
        var template = ChatTemplate.Parse("chat_template.jinja", Encoding.UTF8.GetString(input));
        long steps = random.Next(Rare) == 0 ? TemplateBudget.MaxSteps : Steps, before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            string text = template.Render(_arguments[random.Next(_arguments.Count)], TimeProvider.System, new TemplateBudget(steps));
            Check(text.Length <= TemplateBudget.MaxText, "a rendering has more characters than allowed");
        }
        finally
        {
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before, most = (1 << 20) + 100L * input.Length + 1000 * steps;
            Check(allocated <= most, $"a rendering of {steps} steps allocates too much: {allocated} bytes, at most {most} are allowed");
        }
    }

    private static JsonElement Read(string path) => JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;
}
