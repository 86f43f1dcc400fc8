using System.Text.Json;
using Troupe.Cli.Tests.Support;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Input;

/// <summary>generate --chat: a folder of the sample model with a template beside it.</summary>
public sealed class ChatTests
{
    private const string Template = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        + "{% if tools %}{{ tools | length }} tools\n{% endif %}{% if add_generation_prompt %}assistant:{% endif %}";

    [Fact]
    public async Task A_message_and_a_file_of_messages_are_rendered_and_completed()
    {
        using TempFolder folder = Model();
        JsonElement one = (await CliRun.Of("generate", "--chat", "Hail", "--model", folder.Path, "--max-tokens", "2", "--json")).Json();
        Assert.Equal("<|endoftext|>user: Hail\nassistant:", one.GetProperty("prompt").GetString());
        Assert.Equal(2, one.GetProperty("ids").GetArrayLength());
        string chat = folder.Write("chat.json", """
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hail"}], "tools": [{}], "extra": 1.0}
            """);
        JsonElement more = (await CliRun.Of("generate", "--chat", chat, "--model", folder.Path, "--max-tokens", "2", "--json")).Json();
        Assert.Equal("<|endoftext|>system: Be brief.\nuser: Hail\n1 tools\nassistant:", more.GetProperty("prompt").GetString());
        string list = folder.Write("list.json", """[{"role": "user", "content": "Hail"}]""");
        JsonElement same = (await CliRun.Of("generate", "--chat", list, "--model", folder.Path, "--max-tokens", "2", "--json")).Json();
        Assert.Equal(one.GetProperty("ids").ToString(), same.GetProperty("ids").ToString());
    }

    [Theory]
    [InlineData("{", "not valid JSON at line 1: write [{\"role\": \"user\", \"content\": \"...\"}]")]
    [InlineData("7", "a list of messages, or an object with messages, is wanted")]
    [InlineData("[]", "there are no messages; give at least one")]
    [InlineData("{\"messages\": 3}", "messages must be a list of objects with role and content")]
    [InlineData("[{\"content\": \"x\"}]", "message 1 must be an object with a role")]
    [InlineData("[{\"role\": \"user\", \"content\": \"\\ud800\"}]", "an escape that is half a character")]
    public async Task A_file_that_is_no_chat_is_refused_by_name(string text, string expected)
    {
        using TempFolder folder = Model();
        string file = folder.Write("chat.json", text);
        string line = (await CliRun.Of("generate", "--chat", file, "--model", folder.Path)).OneLine(ExitCode.Failed);
        Assert.Contains($"{file}: {expected}", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_a_chat_is_said_before_anything_starts()
    {
        string sample = Repository.At("models", "sample");
        Assert.Contains($"{sample} has no chat template",
            (await CliRun.Of("generate", "--chat", "x", "--model", sample)).OneLine(ExitCode.Failed), StringComparison.Ordinal);
        Assert.Contains("a prompt and --chat contradict each other",
            (await CliRun.Of("generate", "y", "--chat", "x")).OneLine(ExitCode.WrongUsage), StringComparison.Ordinal);
        Assert.Contains("nowhere.json", (await CliRun.Of("generate", "--chat", "nowhere.json", "--model", sample)).OneLine(ExitCode.Failed),
            StringComparison.Ordinal);
    }

    private static TempFolder Model()
    {
        var folder = new TempFolder();
        foreach (string file in Directory.GetFiles(Repository.At("models", "sample")))
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        folder.Write("tokenizer_config.json", JsonSerializer.Serialize(new { bos_token = "<|endoftext|>", chat_template = Template }));
        return folder;
    }
}
