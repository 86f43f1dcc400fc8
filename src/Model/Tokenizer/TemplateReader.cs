using System.Text.Json;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Reads the post_processor: ByteLevel adds nothing to the ids; TemplateProcessing sets special tokens before and behind the text; a
/// Sequence may hold both.
/// </summary>
internal sealed class TemplateReader(TokenizerJson json)
{
    /// <summary>The most special tokens around a text.</summary>
    private const int MaxIds = 1024;

    /// <summary>The ids before and behind a single text; both empty if there is no processor.</summary>
    public (int[] Before, int[] After) Read(JsonElement? processor)
    {
        if (processor is not { } value) return ([], []);
        switch (json.Kind(value, "post_processor", "ByteLevel", "TemplateProcessing", "Sequence"))
        {
            case "ByteLevel": return ([], []);
            case "TemplateProcessing": return Template(value);
        }
        (int[] Before, int[] After) found = ([], []);
        if (!value.TryGetProperty("processors", out JsonElement list) || list.ValueKind != JsonValueKind.Array)
            throw json.Wrong("post_processor.processors must be a list");
        foreach (JsonElement inner in list.EnumerateArray())
        {
            if (json.Kind(inner, "post_processor.processors", "ByteLevel", "TemplateProcessing") == "ByteLevel") continue;
            if (found.Before.Length + found.After.Length > 0)
                throw json.Wrong("post_processor.processors: more than one TemplateProcessing");
            found = Template(inner);
        }
        return found;
    }

    private (int[], int[]) Template(JsonElement template)
    {
        if (!template.TryGetProperty("single", out JsonElement list) || list.ValueKind != JsonValueKind.Array)
            throw json.Wrong("post_processor.single must be a list");
        var before = new List<int>();
        List<int>? after = null;
        foreach (JsonElement part in list.EnumerateArray())
        {
            if (part.ValueKind != JsonValueKind.Object) throw json.Wrong($"post_processor.single holds {ModelFiles.Kind(part)}");
            if (TokenizerJson.Optional(part, "Sequence") is not null)
                after = after is null ? [] : throw json.Wrong("post_processor.single names the text twice");
            else if (before.Count + (after?.Count ?? 0) > MaxIds)
                throw json.Wrong($"post_processor.single: more than {MaxIds} special tokens");
            else
                (after ?? before).AddRange(Ids(template, json.Text(json.Object(part, "SpecialToken"), "id", "post_processor.single: ")));
        }
        if (after is null) throw json.Wrong("post_processor.single does not name the text");
        return ([.. before], [.. after]);
    }

    private int[] Ids(JsonElement template, string token)
    {
        JsonElement all = json.Object(template, "special_tokens", "post_processor.");
        JsonElement special = json.Object(all, token, "post_processor.special_tokens.");
        if (!special.TryGetProperty("ids", out JsonElement ids) || ids.ValueKind != JsonValueKind.Array)
            throw json.Wrong($"post_processor.special_tokens.{token}.ids must be a list");
        return [.. ids.EnumerateArray().Select(id => json.Id(id, $"post_processor.special_tokens.{token}"))];
    }
}
