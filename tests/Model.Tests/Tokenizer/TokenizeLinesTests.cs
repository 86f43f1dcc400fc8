using System.Text;
using System.Text.Json;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer;
using Xunit;

namespace Troupe.Model.Tests.Tokenizer;

public sealed class TokenizeLinesTests
{
    private static string[] Run(byte[] input) => [.. TokenizeLines.Run(Golden.Qwen, new MemoryStream(input), "lines.jsonl")];

    [Fact]
    public void Golden_texts_as_lines_give_the_golden_records_in_ascii()
    {
        JsonElement[] golden = [.. Golden.QwenCases()];
        string[] lines = Run(Encoding.UTF8.GetBytes(string.Join('\n', golden.Select(c => JsonSerializer.Serialize(c.Text("text"))))));
        Assert.Equal(golden.Length, lines.Length);
        for (int i = 0; i < lines.Length; i++)
        {
            Assert.True(Ascii.IsValid(lines[i]) && !lines[i].Contains('\n'), lines[i]);
            Assert.True(JsonElement.DeepEquals(golden[i], JsonDocument.Parse(lines[i]).RootElement), lines[i]);
        }
    }

    [Fact]
    public void Raw_utf8_crlf_and_blank_lines_are_read_and_counted()
    {
        Assert.Equal(2, Run("\"Größe 😀\"\r\n\r\n  \n\"x\"\r\n"u8.ToArray()).Length);
        Assert.Empty(Run([]));
        Assert.Contains("line 3 must be a JSON string, got 7", Refusal("\"a\"\n\n7"u8.ToArray()));
    }

    [Fact]
    public void A_line_that_is_not_a_json_string_is_refused_with_its_number()
    {
        Assert.Contains("lines.jsonl: line 2 must be a JSON string, got an object", Refusal("\"a\"\n{\"text\": 1}\n"u8.ToArray()));
        Assert.Contains("lines.jsonl: line 1 is not one JSON string in quotes (see byte 0)", Refusal("hello\n"u8.ToArray()));
        Assert.Contains("lines.jsonl: line 2 is not one JSON string in quotes", Refusal("\"a\"\n\"b\n"u8.ToArray()));
        Assert.Contains("lines.jsonl: line 1 is not one JSON string in quotes", Refusal("\"a\" \"b\"\n"u8.ToArray()));
        Assert.Contains("lines.jsonl: line 1 has an escape that is half a character", Refusal("\"\\ud800\"\n"u8.ToArray()));
        Assert.Contains("lines.jsonl: line 3 is not valid UTF-8", Refusal([.. "\"a\"\n\"b\"\n\""u8, 0xFF, .. "\"\n"u8]));
    }

    private static string Refusal(byte[] input)
    {
        string message = Assert.Throws<ModelException>(() => Run(input)).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
