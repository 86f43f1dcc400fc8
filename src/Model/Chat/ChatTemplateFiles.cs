using System.Text;
using System.Text.Json;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Chat;

/// <summary>Finds the chat template of a model folder: chat_template.jinja, or chat_template in tokenizer_config.json.</summary>
internal static class ChatTemplateFiles
{
    private const string Own = "chat_template.jinja", Config = "tokenizer_config.json";
    private static readonly string[] Tokens = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>The template and its special tokens.</summary>
    public static ChatTemplate Load(string folder, bool tools)
    {
        ModelFiles.Folder(folder);
        string path = Path.Combine(folder, Config);
        JsonElement config = File.Exists(path) ? ModelFiles.Object(path, ModelFiles.Bytes(folder, Config)) : default;
        Dictionary<string, string> special = config.ValueKind == JsonValueKind.Object ? Special(config) : [];
        if (File.Exists(Path.Combine(folder, Own)))
        {
            byte[] text = ModelFiles.Bytes(folder, Own);
            string own = Path.Combine(folder, Own);
            if (!System.Text.Unicode.Utf8.IsValid(text)) throw new ModelException($"{own}: not valid UTF-8");
            return ChatTemplate.Parse(own, Encoding.UTF8.GetString(text)).WithTokens(special);
        }
        if (config.ValueKind != JsonValueKind.Object || !config.TryGetProperty("chat_template", out JsonElement given)
            || given.ValueKind == JsonValueKind.Null)
            throw new ModelException(
                $"{folder} has no chat template ({Own}, or chat_template in {Config}); give the prompt as text instead");
        string template = given.ValueKind switch
        {
            JsonValueKind.String => given.GetString()!,
            JsonValueKind.Array => Named(path, given, tools),
            _ => throw new ModelException($"{path}: chat_template must be a string or a list, got {ModelFiles.Kind(given)}"),
        };
        return ChatTemplate.Parse(path, template).WithTokens(special);
    }

    private static string Named(string path, JsonElement list, bool tools)
    {
        var named = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonElement entry in list.EnumerateArray())
        {
            if (entry.ValueKind != JsonValueKind.Object || !entry.TryGetProperty("name", out JsonElement name)
                || !entry.TryGetProperty("template", out JsonElement text)
                || name.ValueKind != JsonValueKind.String || text.ValueKind != JsonValueKind.String)
                throw new ModelException($"{path}: chat_template must hold objects with name and template, got {ModelFiles.Kind(entry)}");
            named[name.GetString()!] = text.GetString()!;
        }
        if (tools && named.TryGetValue("tool_use", out string? forTools)) return forTools;
        return named.TryGetValue("default", out string? template) ? template
            : throw new ModelException($"{path}: chat_template has no default among {string.Join(", ", named.Keys)}");
    }

    // A token is a string, or an object with its content.
    private static Dictionary<string, string> Special(JsonElement config)
    {
        var tokens = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string name in Tokens)
        {
            if (!config.TryGetProperty(name, out JsonElement token)) continue;
            if (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out JsonElement content)) token = content;
            if (token.ValueKind == JsonValueKind.String) tokens[name] = token.GetString()!;
        }
        return tokens;
    }
}
