using System.Text;
using System.Text.Json;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer;

/// <summary>
/// Reads the "decoder" of a tokenizer.json: ByteLevel, Metaspace, or a Sequence of Replace, ByteFallback, Fuse and Strip in that order,
/// each but Replace once at most.
/// </summary>
internal sealed class DecoderReader(TokenizerJson json)
{
    private static readonly string[] Order = ["Replace", "ByteFallback", "Fuse", "Strip"];

    private const int MaxSteps = 64;

    /// <summary>The rules.</summary>
    public DecodingRules Read(JsonElement value)
    {
        switch (json.Kind(value, "decoder", "ByteLevel", "Metaspace", "Sequence"))
        {
            case "ByteLevel":
                return new DecodingRules { ByteLevel = true };
            case "Metaspace":
                byte[] sign = Encoding.UTF8.GetBytes(NotEmpty(value, "replacement", "decoder."));
                bool never = TokenizerJson.Optional(value, "prepend_scheme") is { } scheme && scheme.ValueEquals("never");
                bool drops = json.Flag(value, "add_prefix_space", absent: true) && !never;
                return new DecodingRules { Replacements = [(sign, " "u8.ToArray())], DroppedInFirst = drops ? sign : [] };
        }
        var rules = new DecodingRules();
        (JsonElement Value, string At)[] steps = [.. json.Items(value, "decoders", "decoder").Take(MaxSteps + 1)];
        if (steps.Length > MaxSteps) throw json.Wrong($"decoder: more than {MaxSteps} steps");
        int place = 0;
        bool fused = false;
        foreach ((JsonElement step, string at) in steps)
        {
            string kind = json.Kind(step, at, steps.Length == 1 ? [.. Order, "ByteLevel"] : Order);
            if (kind == "ByteLevel") return new DecodingRules { ByteLevel = true };
            int next = Array.IndexOf(Order, kind) + (kind == "Replace" ? 0 : 1);
            if (next < place) throw json.Wrong($"{at} is {kind}; supported in this order: {string.Join(", ", Order)}");
            place = next;
            if (kind == "Strip" && !fused) throw json.Wrong($"{at} is Strip without Fuse before it, which is not supported");
            fused |= kind == "Fuse";
            rules = Add(rules, kind, step, at);
            if (kind != "Replace") place = next + 1;
        }
        return rules;
    }

    private DecodingRules Add(DecodingRules rules, string kind, JsonElement step, string at)
    {
        switch (kind)
        {
            case "Replace":
                string old = NotEmpty(json.Object(step, "pattern", at + "."), "String", at + ".pattern.");
                string content = json.Text(step, "content", at + ".");
                (byte[], byte[]) replacement = (Encoding.UTF8.GetBytes(old), Encoding.UTF8.GetBytes(content));
                return rules with { Replacements = [.. rules.Replacements, replacement] };
            case "ByteFallback":
                return rules with { ByteFallback = true };
            case "Strip":
                if (Count(step, "stop", at) != 0) throw json.Wrong($"{at}.stop must be 0: only a text's beginning can be stripped");
                byte[] strip = Encoding.UTF8.GetBytes(NotEmpty(step, "content", at + "."));
                return rules with { Strip = strip, StripCount = Count(step, "start", at) };
            default:
                return rules;
        }
    }

    private string NotEmpty(JsonElement value, string key, string at) =>
        json.Text(value, key, at) is { Length: > 0 } text ? text : throw json.Wrong($"{at}{key} is empty");

    private int Count(JsonElement value, string key, string at) =>
        value.TryGetProperty(key, out JsonElement count) && count.ValueKind == JsonValueKind.Number
            && count.TryGetInt32(out int number) && number is >= 0 and <= 1024
            ? number : throw json.Wrong($"{at}.{key} must be a whole number in [0, 1024], got {ModelFiles.Kind(count)}");
}
