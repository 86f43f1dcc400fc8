using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Troupe.Model.Tokenizer;
using Xunit;

namespace Troupe.Model.Tests.Tokenizer;

/// <summary>Parts of tokenizer.json that the goldens of the styles do not have, put into them; against the reference.</summary>
public sealed class VariantTests
{
    public static TheoryData<string, string> Names
    {
        get
        {
            var names = new TheoryData<string, string>();
            foreach (JsonElement variant in Variants()) names.Add(variant.Text("style"), variant.Text("name"));
            return names;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_changed_tokenizer_gives_the_ids_and_texts_of_the_reference(string style, string name)
    {
        JsonElement variant = Variants().Single(v => v.Text("style") == style && v.Text("name") == name);
        JsonNode root = JsonNode.Parse(File.ReadAllBytes(Path.Combine(Golden.Folder(style), "tokenizer.json")))!;
        foreach (JsonProperty change in variant.GetProperty("changes").EnumerateObject())
        {
            string[] keys = change.Name.Split('.');
            JsonNode at = keys[..^1].Aggregate(root, (node, key) => node[key]!);
            at[keys[^1]] = JsonNode.Parse(change.Value.GetRawText());
        }
        BpeTokenizer tokenizer = BpeTokenizer.Parse("dir/tokenizer.json", Encoding.UTF8.GetBytes(root.ToJsonString()));
        foreach (JsonElement golden in variant.GetProperty("cases").EnumerateArray())
        {
            string text = golden[0].GetString()!;
            int[] ids = [.. golden[1].EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal((text, string.Join(' ', ids)), (text, string.Join(' ', tokenizer.Encode(text, addSpecial: false))));
            Assert.Equal(golden[2].GetString(), tokenizer.Decode(ids, skipSpecial: true));
        }
    }

    private static JsonElement.ArrayEnumerator Variants() => Golden.Beside("variants.json").GetProperty("variants").EnumerateArray();
}
