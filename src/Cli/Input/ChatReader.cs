using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using Troupe.Model.Chat;
using Troupe.Model.Tokenizer;

namespace Troupe.Cli.Input;

/// <summary>
/// Makes a prompt of messages by the model's chat template. The messages come as a JSON file, a list of them or an object with
/// "messages" and whatever else the template reads (tools, enable_thinking), or as the text of one message of the user.
/// </summary>
internal static class ChatReader
{
    /// <summary>The prompt, as ids: its special tokens are recognised, and none are set around it, for the template writes them.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="given">A file that ends in .json or exists, or a text.</param>
    /// <param name="clock">What the template's strftime_now asks.</param>
    /// <exception cref="FailedException">The file cannot be read, or is not of the form that is wanted.</exception>
    public static Prompt Read(string folder, string given, TimeProvider clock)
    {
        bool file = given.EndsWith(".json", StringComparison.OrdinalIgnoreCase) || File.Exists(given);
        JsonObject chat = file
            ? FromFile(given)
            : new JsonObject { ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = given }) };
        chat.TryAdd("add_generation_prompt", JsonValue.Create(true));
        chat.TryAdd("tools", null);
        chat.TryAdd("documents", null);
        using var arguments = JsonDocument.Parse(chat.ToJsonString());
        string text = ChatTemplate.Load(folder, chat["tools"] is not null).Render(arguments.RootElement, clock);
        return new Prompt(file ? given : "the message", text) { Ids = BpeTokenizer.Load(folder).Encode(text, addSpecial: false) };
    }

    private static JsonObject FromFile(string file)
    {
        using Stream stream = PromptReader.OpenFile(file);
        var bytes = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            bytes.Write(buffer, 0, read);
            if (bytes.Length > PromptReader.MaxBytes)
                throw new FailedException($"{file}: more than {PromptReader.MaxBytes} bytes; shorten it");
        }
        if (!Utf8.IsValid(bytes.ToArray())) throw new FailedException($"{file}: not valid UTF-8");
        try
        {
            // Reading it whole finds escapes that are half a character here, where the file is known.
            JsonNode? root = JsonNode.Parse(bytes.ToArray(), null, new JsonDocumentOptions { AllowDuplicateProperties = false });
            root?.ToJsonString();
            return root switch
            {
                JsonArray messages => new JsonObject { ["messages"] = Checked(messages.DeepClone(), file) },
                JsonObject chat => WithMessages(chat, file),
                _ => throw new FailedException($"{file}: a list of messages, or an object with messages, is wanted"),
            };
        }
        catch (JsonException e)
        {
            throw new FailedException(
                $"{file}: not valid JSON at line {e.LineNumber + 1}: write [{{\"role\": \"user\", \"content\": \"...\"}}]");
        }
        catch (InvalidOperationException)
        {
            throw new FailedException($"{file}: an escape that is half a character");
        }
    }

    private static JsonObject WithMessages(JsonObject chat, string file)
    {
        Checked(chat["messages"], file);
        return chat;
    }

    private static JsonNode Checked(JsonNode? messages, string file)
    {
        if (messages is not JsonArray list) throw new FailedException($"{file}: messages must be a list of objects with role and content");
        if (list.Count == 0) throw new FailedException($"{file}: there are no messages; give at least one");
        for (int i = 0; i < list.Count; i++)
            if (list[i] is not JsonObject message || message["role"] is not JsonValue role || role.GetValueKind() != JsonValueKind.String)
                throw new FailedException(
                    $"{file}: message {i + 1} must be an object with a role, such as {{\"role\": \"user\", \"content\": \"...\"}}");
        return messages;
    }
}
