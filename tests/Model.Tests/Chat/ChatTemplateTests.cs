using System.Text.Json;
using System.Text.Json.Nodes;
using Troupe.Model.Chat;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tests.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Chat;

public sealed class ChatTemplateTests
{
    private static readonly string s_golden = Repository.At("tests", "goldens", "chat", "golden.json");
    private static readonly FixedClock s_clock = new();

    [Fact]
    public void Every_golden_chat_is_rendered_or_refused_as_by_the_reference()
    {
        int cases = 0;
        foreach (JsonProperty template in Read(s_golden).GetProperty("templates").EnumerateObject())
        {
            var parsed = ChatTemplate.Parse(template.Name, template.Value.GetProperty("chat_template").GetString()!);
            foreach (JsonElement golden in template.Value.GetProperty("cases").EnumerateArray())
            {
                JsonObject arguments = JsonNode.Parse(template.Value.GetProperty("special_tokens").GetRawText())!.AsObject();
                foreach (JsonProperty argument in golden.GetProperty("arguments").EnumerateObject())
                    arguments[argument.Name] = JsonNode.Parse(argument.Value.GetRawText());
                Check(golden, parsed, arguments.ToJsonString());
                cases++;
            }
        }
        Assert.True(cases >= 48, $"only {cases} cases");
    }

    [Fact]
    public void Expressions_and_statements_give_what_the_reference_gives()
    {
        foreach (JsonElement golden in Read(Repository.At("tests", "Model.Tests", "Chat",
            "expressions.json")).GetProperty("cases").EnumerateArray())
        {
            string template = golden.GetProperty("template").GetString()!;
            ChatTemplate parsed;
            try
            {
                parsed = ChatTemplate.Parse("t", template);
            }
            catch (ModelException)
            {
                Assert.True(golden.TryGetProperty("error", out _), template);
                continue;
            }
            Check(golden, parsed, """{"y": null}""");
        }
    }

    [Fact]
    public void Filters_tests_methods_and_loops_have_the_semantics_of_the_reference()
    {
        JsonElement golden = Read(Repository.At("tests", "Model.Tests", "Chat", "semantics.json"));
        string arguments = golden.GetProperty("arguments").GetRawText();
        int refused = 0;
        foreach (JsonElement one in golden.GetProperty("cases").EnumerateArray())
        {
            string template = one.GetProperty("template").GetString()!;
            if (one.TryGetProperty("rendered", out JsonElement rendered))
            {
                Assert.Equal((template, rendered.GetString()), (template, Render(template, arguments)));
                continue;
            }
            // What the reference refuses is refused, in words of our own.
            Assert.DoesNotContain('\n', Assert.Throws<ModelException>(() => Render(template, arguments)).Message);
            refused++;
        }
        Assert.True(refused > 20, $"only {refused} were refused");
    }

    [Theory]
    [InlineData("a\n{{ b.c }}", "line 2: 'b' is undefined")]
    [InlineData("a\n\n{% if %}", "line 3: an expression is wanted, got '%}'")]
    [InlineData("{% for x in y %}", "line 1: the template ends where endfor is wanted")]
    [InlineData("{% include 'x' %}", "line 1: the statement include is not supported: a chat template is one file")]
    [InlineData("{{ [1, 'a']|sort }}", "not supported between instances of")]
    [InlineData("{% endif %}", "line 1: the statement endif is not known")]
    [InlineData("{{ 'x }}", "line 1: a string is not closed")]
    [InlineData("{{ x", "line 1: a tag is not closed with }}")]
    [InlineData("{# x", "line 1: a comment is not closed with #}")]
    [InlineData("{{ 99999999999999999999 }}", "line 1: 99999999999999999999 is not a number that fits in 64 bits")]
    [InlineData("{{ 9223372036854775807 + 1 }}", "line 1: a whole number grows beyond 64 bits")]
    [InlineData("{{ x | nothing }}", "line 1: No filter named 'nothing'.")]
    [InlineData("{{ [1].append(2) }}", "line 1: access to attribute 'append' of 'list' object is unsafe.")]
    [InlineData("{% break %}", "line 1: break outside of a loop")]
    [InlineData("{{ raise_exception('stop\nit') }}", "line 1: stop it")]
    public void What_is_wrong_is_said_in_one_line_with_the_templates_line(string template, string expected)
    {
        string message = Assert.Throws<ModelException>(() => Render(template)).Message;
        Assert.Contains(expected, message);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("{% for i in range(99999999999) %}{% endfor %}", "steps")]
    [InlineData("{% for i in range(3000) %}{% for j in range(3000) %}{% for k in range(3000) %}{% endfor %}{% endfor %}{% endfor %}",
        "steps")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "levels deep")]
    [InlineData("{{ 'ab' * 99999999999 }}", "grows beyond")]
    [InlineData("{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", "grows beyond")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "grows beyond")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
        "grows beyond")]
    [InlineData("{% for i in range(2000) %}{{ 'x' * 10000 }}{% endfor %}", "grows beyond")]
    [InlineData("{{ 'x' | indent(99999999999) }}", "grows beyond")]
    public void A_template_that_runs_away_is_stopped(string template, string expected) =>
        Assert.Contains(expected, Assert.Throws<ModelException>(() => Render(template)).Message);

    [Fact]
    public void Nesting_is_bounded_when_it_is_read()
    {
        foreach (string template in (string[])[$"{{{{ {new string('(', 5000)}1{new string(')', 5000)} }}}}",
            $"{{{{ {new string('[', 5000)}1{new string(']', 5000)} }}}}", "{{ " + new string('-', 5000) + "1 }}",
            "{{ " + string.Concat(Enumerable.Repeat("not ", 5000)) + "1 }}", string.Concat(Enumerable.Repeat("{% if 1 %}", 5000)),
            "{{ 1" + string.Concat(Enumerable.Repeat(" + 1", 5000)) + " }}",
                $"{{% set {new string('(', 5000)}a{new string(')', 5000)} = 1 %}}"])
            Assert.Contains("more than", Assert.Throws<ModelException>(() => Render(template)).Message.Replace("too many", "more than"));
    }

    [Fact]
    public void Mutated_templates_render_or_are_refused_in_one_line()
    {
        Random random = Seed.For(nameof(Mutated_templates_render_or_are_refused_in_one_line));
        string[] templates = [.. Read(s_golden).GetProperty("templates").EnumerateObject()
            .Select(template => template.Value.GetProperty("chat_template").GetString()!)];
        int rendered = 0;
        for (int round = 0; round < 2000; round++)
        {
            char[] text = templates[random.Next(templates.Length)].ToCharArray();
            for (int n = random.Next(1, 4); n > 0; n--) text[random.Next(text.Length)] = "{}%#-|.()[]'\"\n abx01~*\\"[random.Next(23)];
            try
            {
                Render(new string(text),
                    """{"messages": [{"role": "user", "content": "x"}], "add_generation_prompt": true, "bos_token": "<s>"}""");
                rendered++;
            }
            catch (ModelException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }
        Assert.InRange(rendered, 50, 1950);
    }

    [Fact]
    public void A_folder_has_its_template_in_a_file_or_in_its_config()
    {
        using var folder = new TempFolder();
        Assert.Contains("has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json)", Refusal(folder.Path));
        folder.Write("tokenizer_config.json",
            """{"bos_token": {"content": "<b>"}, "eos_token": "<e>", "chat_template": "{{ bos_token }}{{ x }}{{ eos_token }}"}""");
        Assert.Equal("<b>1<e>", Render(ChatTemplate.Load(folder.Path), """{"x": 1}"""));
        folder.Write("tokenizer_config.json", """
            {"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}]}
            """);
        Assert.Equal("plain", Render(ChatTemplate.Load(folder.Path), "{}"));
        Assert.Equal("tools", Render(ChatTemplate.Load(folder.Path, tools: true), "{}"));
        folder.Write("chat_template.jinja", "own");
        Assert.Equal("own", Render(ChatTemplate.Load(folder.Path), "{}"));
        folder.Write("chat_template.jinja", "{{");
        Assert.Contains("chat_template.jinja: chat template, line 1: ", Refusal(folder.Path));
        File.Delete(Path.Combine(folder.Path, "chat_template.jinja"));
        folder.Write("tokenizer_config.json", """{"chat_template": 7}""");
        Assert.Contains("chat_template must be a string or a list, got 7", Refusal(folder.Path));
        folder.Write("tokenizer_config.json", """{"chat_template": [{"name": "a", "template": ""}]}""");
        Assert.Contains("chat_template has no default among a", Refusal(folder.Path));
    }

    private static string Refusal(string folder) => Assert.Throws<ModelException>(() => ChatTemplate.Load(folder)).Message;

    private static void Check(JsonElement golden, ChatTemplate template, string arguments)
    {
        if (golden.TryGetProperty("error", out JsonElement error))
            Assert.EndsWith(": " + error.GetString(), Assert.Throws<ModelException>(() => Render(template, arguments)).Message);
        else
            Assert.Equal(golden.GetProperty("rendered").GetString(), Render(template, arguments));
    }

    private static string Render(string template, string arguments = "{}") => Render(ChatTemplate.Parse("t", template), arguments);

    private static string Render(ChatTemplate template, string arguments) =>
        template.Render(JsonDocument.Parse(arguments).RootElement, s_clock);

    private static JsonElement Read(string path) => JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;

    private sealed class FixedClock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2026, 3, 4, 15, 6, 7, TimeSpan.Zero);
    }
}
