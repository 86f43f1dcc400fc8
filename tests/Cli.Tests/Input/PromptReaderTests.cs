using System.Text;
using Troupe.Actors.Protocols;
using Troupe.Cli.Input;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Tests.Support;
using Xunit;

namespace Troupe.Cli.Tests.Input;

public sealed class PromptReaderTests
{
    private static readonly GenerationSettings s_settings = new(64, new SamplingSpec(0, 0, 1, 0, 1, 5), ["\n"], false);

    private static Shell ShellWith(byte[] input) =>
        new() { Out = TextWriter.Null, Error = TextWriter.Null, OpenInput = () => new MemoryStream(input) };

    private static IReadOnlyList<Prompt> Read(string lines) =>
        PromptReader.FromFile("-", ShellWith(Encoding.UTF8.GetBytes(lines)), s_settings);

    [Fact]
    public void A_line_is_a_string_or_an_object_and_blank_lines_only_count()
    {
        IReadOnlyList<Prompt> prompts =
            Read("\"a \\u00e9 b\"\n\n  \r\n{\"prompt\": \"x\", \"max_tokens\": 3, \"temperature\": 0.5, \"seed\": 9, \"stop\": [\"A\", "
            + "\"B\"]}\n\"last, without a line end\"");
        Assert.Equal(["a é b", "x", "last, without a line end"], prompts.Select(p => p.Text));
        Assert.Equal(["stdin line 1", "stdin line 4", "stdin line 5"], prompts.Select(p => p.Where));
        RequestSpec plain = prompts[0].ToRequest(s_settings), own = prompts[1].ToRequest(s_settings);
        Assert.Equal((64, 0f, 5UL), (plain.MaxTokens, plain.Sampling.Temperature, plain.Sampling.Seed));
        Assert.Equal(["\n"], plain.Stop);
        Assert.Equal((3, 0.5f, 9UL), (own.MaxTokens, own.Sampling.Temperature, own.Sampling.Seed));
        Assert.Equal(["A", "B"], own.Stop);
        Assert.NotEqual(plain.Id, own.Id);
    }

    [Theory]
    [InlineData("plain text", "not valid JSON: write the prompt as a string in double quotes")]
    [InlineData("\"open", "not valid JSON")]
    [InlineData("\"a\" \"b\"", "not valid JSON")]
    [InlineData("17", "a JSON string or an object with prompt is wanted, got 17")]
    [InlineData("[\"a\"]", "got a list")]
    [InlineData("\"\"", "the prompt is empty")]
    [InlineData("{}", "no prompt")]
    [InlineData("{\"prompt\": \"\"}", "the prompt is empty")]
    [InlineData("{\"prompt\": 3}", "prompt must be a string, got 3")]
    [InlineData("{\"prompt\": \"a\", \"max_token\": 3}", "unknown key 'max_token'; known are prompt, max_tokens")]
    [InlineData("{\"prompt\": \"a\", \"max_tokens\": 0}", "max_tokens must be a whole number of at least 1, got 0")]
    [InlineData("{\"prompt\": \"a\", \"max_tokens\": 1.5}", "max_tokens must be a whole number of at least 1, got 1.5")]
    [InlineData("{\"prompt\": \"a\", \"temperature\": -1}", "temperature must be 0 (greedy) or in [0.0001, 100], got -1")]
    [InlineData("{\"prompt\": \"a\", \"top_p\": 2}", "top_p must be in (0, 1], got 2")]
    [InlineData("{\"prompt\": \"a\", \"seed\": -3}", "seed must be a whole number in [0, 2^64), got -3")]
    [InlineData("{\"prompt\": \"a\", \"stop\": [\"\"]}", "stop must be a text, or a list of texts that are not empty")]
    [InlineData("{\"prompt\": \"a\", \"ignore_eos\": 1}", "ignore_eos must be true or false, got 1")]
    [InlineData("{\"prompt\": \"a\", \"prompt\": \"b\"}", "not valid JSON")]
    [InlineData("\"\\ud800\"", "an escape that is half a character")]
    public void What_is_wrong_with_a_line_is_said_with_its_number(string line, string says)
    {
        string message = Assert.Throws<FailedException>(() => Read($"\"fine\"\n{line}\n")).Message;
        Assert.StartsWith("stdin line 2: ", message, StringComparison.Ordinal);
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Bytes_that_are_not_utf8_are_found_with_their_line()
    {
        using var folder = new TempFolder();
        string file = folder.Write("bad.jsonl", [.. "\"ok\"\n\""u8, 0xC3, 0x28, .. "\"\n"u8]);
        Assert.Equal($"{file} line 2: not valid UTF-8",
            Assert.Throws<FailedException>(() => PromptReader.FromFile(file, ShellWith([]), s_settings)).Message);
        Assert.Equal("stdin line 2: not valid UTF-8",
            Assert.Throws<FailedException>(() => PromptReader.FromInput(ShellWith([.. "ok\nbad "u8, 0xFF]))).Message);
    }

    [Fact]
    public void A_file_that_is_missing_empty_or_a_folder_is_named()
    {
        using var folder = new TempFolder();
        string nothing = Path.Combine(folder.Path, "nothing"), empty = folder.Write("empty", "\n\n");
        Assert.Equal($"{nothing}: no such file", Message(nothing));
        Assert.Equal($"{empty}: no prompts: write one JSON string a line", Message(empty));
        Assert.Equal($"{folder.Path}: is a folder, a file is wanted", Message(folder.Path));

        static string Message(string file) =>
            Assert.Throws<FailedException>(() => PromptReader.FromFile(file, ShellWith([]), s_settings)).Message;
    }

    [Theory]
    [InlineData("text", "text")]
    [InlineData("text\n", "text")]
    [InlineData("text\r\n", "text")]
    [InlineData("two\nlines\n\n", "two\nlines\n")]
    public void Stdin_is_one_prompt_without_the_line_end_that_ends_it(string input, string prompt) =>
        Assert.Equal(prompt, PromptReader.FromInput(ShellWith(Encoding.UTF8.GetBytes(input))).Text);

    [Fact]
    public void An_empty_or_endless_stdin_is_refused()
    {
        Assert.Contains("the prompt is empty", Assert.Throws<FailedException>(() => PromptReader.FromInput(ShellWith([]))).Message,
            StringComparison.Ordinal);
        byte[] endless = new byte[PromptReader.MaxBytes + 1];
        Array.Fill(endless, (byte)'a');
        Assert.Contains("more than", Assert.Throws<FailedException>(() => PromptReader.FromInput(ShellWith(endless))).Message,
            StringComparison.Ordinal);
        Assert.Contains("line 1: more than",
            Assert.Throws<FailedException>(() => PromptReader.FromFile("-", ShellWith(endless), s_settings)).Message,
            StringComparison.Ordinal);
    }
}
