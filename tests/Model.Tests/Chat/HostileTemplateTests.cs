using System.Text.Json;
using Troupe.Model.Chat;
using Troupe.Model.Checkpoints;
using Xunit;

namespace Troupe.Model.Tests.Chat;

/// <summary>Short templates that would take an hour, all memory or the whole stack if what they do were not counted.</summary>
public sealed class HostileTemplateTests
{
    private const string Long = "{% set a = 'x' * 16000000 %}", Least = "(-9223372036854775807 - 1)";

    [Theory]
    [InlineData("{% set n = namespace(l=[1]) %}{% for i in range(50000) %}"
        + "{% set n.l = [n.l] %}{% endfor %}{{ n.l|map(*(['map'] * 20000))|list }}", "levels")]
    [InlineData(Long + "{% set b = 'x' * 16000000 %}{% for i in range(100000) %}{% if a == b %}{% endif %}{% endfor %}", "steps")]
    [InlineData(Long + "{% for i in range(100000) %}{% set n = a|length %}{% endfor %}", "steps")]
    [InlineData(Long + "{% set m = {a: 1} %}{% for i in range(100000) %}{% set n = m[a] %}{% endfor %}", "steps")]
    [InlineData(Long + "{% for i in range(100000) %}{% set n = a[i] %}{% endfor %}", "steps")]
    [InlineData(Long + "{% for i in range(100000) %}{% set n = a is lower %}{% endfor %}", "steps")]
    [InlineData(Long + "{% for i in range(100000) %}{% set n = [a, a]|sort %}{% endfor %}", "steps")]
    [InlineData("{% set a = 'a' * 2000000 %}{{ (a ~ 'b' ~ a) in a * 8 }}", "steps")]
    [InlineData("{% set a = 'a' * 2000000 %}{{ (a * 8).replace(a ~ 'b' ~ a, '') }}", "steps")]
    [InlineData("{{ ('a' * 16000000).strip('b' * 1000000 ~ 'a') }}", "steps")]
    [InlineData("{% set a = 'x ' * 8000000 %}{% for i in range(100000) %}{% set n = a|wordcount %}{% endfor %}", "steps")]
    [InlineData("{% set l = range(1000000)|list %}{% for i in range(1000000) %}{% for x in l %}{% break %}{% endfor %}{% endfor %}",
    "steps")]
    [InlineData("{% for i in range(1000000) %}{% set x = [1]|batch(1000000, 0) %}{% endfor %}", "steps")]
    [InlineData("{% for i in range(1000) %}{% set x = 'a'|indent(-1000000000) %}{% endfor %}{% for i in range(99999999) %}{% endfor %}",
    "steps")]
    [InlineData("{% set n = namespace(l=[]) %}{% for i in range(1000) %}{% set n.l = n.l + ['x' * 16000000] %}{% endfor %}", "steps")]
    [InlineData("{{ [[[[1]]]]|tojson(indent='x' * 16000000) }}", "characters")]
    [InlineData("{{ ('%1000d' * 100000)|format(*([1] * 100000)) }}", "characters")]
    [InlineData("{{ ('{0}' * 100).format('x' * 16000000) }}", "characters")]
    [InlineData("{{ [1, 'a']|sort }}", "'<' not supported between instances of")]
    [InlineData("{{ " + Least + "|abs }}", "64 bits")]
    [InlineData("{{ -" + Least + " }}", "64 bits")]
    public void What_runs_away_ends_with_a_line_that_says_why(string template, string says) =>
        Assert.Contains(says, Assert.Throws<ModelException>(() => Render(template)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{{ range(9223372036854775806, 9223372036854775807, 5)|list }}", "[9223372036854775806]")]
    [InlineData("{{ 'abc'[::" + Least + "] }}", "c")]
    [InlineData("{{ ['\U0001F600', '\uFFFD', 'a', 'ab']|sort|join }}", "aab\uFFFD\U0001F600")]
    [InlineData("{{ 'abc'[-1] }}{{ 'a\U0001F600c'[1] }}{{ 'abc'[3] is defined }}", "c\U0001F600False")]
    [InlineData("{{ [1, 2, 1].index(2) }}{{ 'a\\tb'|replace('\\t', '') }}{{ ('%3d|%s' % (1, 'x')) }}", "1ab  1|x")]
    public void What_stands_at_a_bound_is_computed(string template, string expected) => Assert.Equal(expected, Render(template));

    [Fact]
    public void Texts_side_by_side_are_joined_in_one_go() =>
        Assert.Equal(190_000, Render($"{{{{ {string.Concat(Enumerable.Repeat("'y'", 190_000))} }}}}").Length);

    private static string Render(string template) =>
        ChatTemplate.Parse("t", template).Render(JsonDocument.Parse("{}").RootElement, TimeProvider.System);
}
