using System.Text.Json;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Checkpoints;

public sealed class CheckpointTests
{
    private const string Config = """
        {"architectures": ["Qwen3ForCausalLM"], "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
         "num_key_value_heads": 1, "head_dim": 4, "intermediate_size": 16, "vocab_size": 10, "max_position_embeddings": 32}
        """;

    [Fact]
    public void The_sample_opens_and_gives_its_tensors_with_the_shapes_of_its_config()
    {
        using var checkpoint = Checkpoint.Open(Repository.At("models", "sample"));
        ModelConfig config = checkpoint.Config;
        TensorView embedding = checkpoint.Get("model.embed_tokens.weight", config.VocabSize, config.HiddenSize);
        Assert.Equal(TensorDType.BF16, embedding.DType);
        Assert.Equal((long)config.VocabSize * config.HiddenSize * 2, embedding.Bytes.Length);
        for (int layer = 0; layer < config.Layers; layer++)
        {
            string last = $"model.layers.{layer}.mlp.experts.{config.Experts - 1}.down_proj.weight";
            Assert.Equal(last, checkpoint.Get(last, config.HiddenSize, config.MoeIntermediateSize).Name);
        }
        Assert.False(checkpoint.Contains("lm_head.weight"));
    }

    [Fact]
    public void A_folder_of_links_as_download_caches_keep_it_opens_like_the_files_they_lead_to()
    {
        using var folder = new TempFolder();
        foreach (string file in Directory.GetFiles(Repository.At("models", "sample")))
            File.CreateSymbolicLink(Path.Combine(folder.Path, Path.GetFileName(file)), file);
        using var linked = Checkpoint.Open(folder.Path);
        using var plain = Checkpoint.Open(Repository.At("models", "sample"));
        Assert.Equal(plain.Names, linked.Names);
        int hidden = plain.Config.HiddenSize;
        Assert.True(linked.Get("model.norm.weight", hidden).Bytes.SequenceEqual(plain.Get("model.norm.weight", hidden).Bytes));
    }

    [Fact]
    public void Shards_give_the_same_bytes_as_the_files_they_lie_in()
    {
        string folder = Repository.At("tests", "goldens", "models", "qwen3-moe-mixed");
        using var checkpoint = Checkpoint.Open(folder);
        byte[] index = File.ReadAllBytes(Path.Combine(folder, "model.safetensors.index.json"));
        JsonElement map = JsonDocument.Parse(index).RootElement.GetProperty("weight_map");
        Assert.Equal(map.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal), checkpoint.Names);
        foreach (JsonProperty entry in map.EnumerateObject())
        {
            byte[] file = File.ReadAllBytes(Path.Combine(folder, entry.Value.GetString()!));
            int start = 8 + BitConverter.ToInt32(file);
            JsonElement header = JsonDocument.Parse(file.AsMemory(8, start - 8)).RootElement.GetProperty(entry.Name);
            int[] shape = [.. header.GetProperty("shape").EnumerateArray().Select(e => e.GetInt32())];
            int begin = header.GetProperty("data_offsets")[0].GetInt32(), end = header.GetProperty("data_offsets")[1].GetInt32();
            Assert.True(checkpoint.Get(entry.Name, shape).Bytes.SequenceEqual(file.AsSpan(start + begin, end - begin)), entry.Name);
        }
    }

    [Fact]
    public void Rows_and_copies_of_a_tensor_are_its_values_in_order()
    {
        using var folder = new TempFolder();
        byte[] bytes = TempFolder.Tensors("""{"a":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}}""", 24);
        for (int i = 0; i < 6; i++) BitConverter.TryWriteBytes(bytes.AsSpan(bytes.Length - 24 + 4 * i), i * 1.5f);
        using var file = SafetensorsFile.Open(folder.Write("x.safetensors", bytes));
        float[] values = new float[4];
        file.Get("a").Rows(1, 2).CopyTo(values);
        Assert.Equal([3f, 4.5f, 6f, 7.5f], values);
        file.Get("a").CopyTo(values.AsSpan(0, 2), first: 3);
        Assert.Equal([4.5f, 6f], values[..2]);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Get("a").Rows(2, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Get("a").CopyTo(values, first: 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Get("a").CopyTo(values, first: -1));
    }

    [Fact]
    public void A_shape_that_is_not_the_wanted_one_names_both()
    {
        using var checkpoint = Checkpoint.Open(Repository.At("models", "sample"));
        string message = Assert.Throws<ModelException>(() => checkpoint.Get("model.norm.weight", 4, 64)).Message;
        Assert.Contains("model.norm.weight has shape [256], wanted [4, 64]", message);
        Assert.Contains("no tensor model.layers.9.x", Assert.Throws<ModelException>(() => checkpoint.Get("model.layers.9.x", 1)).Message);
    }

    [Fact]
    public void The_fingerprint_tells_other_configs_and_other_tensors_apart_and_nothing_else()
    {
        string One(string config, string dtype, int fill)
        {
            using var folder = new TempFolder();
            folder.Write("config.json", config);
            byte[] file = TempFolder.Tensors($$$"""{"a":{"dtype":"{{{dtype}}}","shape":[4],"data_offsets":[0,8]}}""", 8);
            file[^1] = (byte)fill;
            folder.Write("model.safetensors", file);
            using var checkpoint = Checkpoint.Open(folder.Path);
            return checkpoint.FingerPrint.ToString();
        }

        Assert.Equal(One(Config, "BF16", 1), One(Config, "BF16", 2));
        Assert.NotEqual(One(Config, "BF16", 1), One(Config, "F16", 1));
        Assert.NotEqual(One(Config, "BF16", 1), One(Config + " ", "BF16", 1));
    }

    [Theory]
    [InlineData("nowhere", "no model folder")]
    [InlineData("empty", "has no config.json")]
    [InlineData("config", "has neither model.safetensors nor model.safetensors.index.json")]
    [InlineData("file", "is a file; a model is a folder")]
    public void A_folder_that_is_not_a_model_says_what_is_missing(string what, string expected)
    {
        using var folder = new TempFolder();
        string path = what switch
        {
            "nowhere" => Path.Combine(folder.Path, "nowhere"),
            "file" => folder.Write("file", "x"),
            _ => folder.Path,
        };
        if (what == "config") folder.Write("config.json", Config);
        string message = Assert.Throws<ModelException>(() => Checkpoint.Open(path)).Message;
        Assert.Contains(expected, message);
        Assert.Contains(path, message);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("""{"weight_map": 1}""", "weight_map must be an object")]
    [InlineData("""{}""", "weight_map must be an object of tensor names and file names, got nothing")]
    [InlineData("""{"weight_map": {"a": "../one.safetensors"}}""",
        "must name a .safetensors file of this folder, got \"../one.safetensors\"")]
    [InlineData("""{"weight_map": {"a": "/etc/passwd"}}""", "must name a .safetensors file of this folder")]
    [InlineData("""{"weight_map": {"a": 3}}""", "must name a .safetensors file of this folder, got 3")]
    [InlineData("""{"weight_map": {"a": "two.safetensors"}}""", "no file ")]
    [InlineData("""{"weight_map": {"b": "one.safetensors"}}""", "puts tensor b in one.safetensors, which lacks it")]
    [InlineData("""{"weight_map": {"a": "one.safetensors", "a": "one.safetensors"}}""", "not valid JSON")]
    [InlineData("""{"weight_map": {"a":""", "not valid JSON")]
    public void An_index_that_does_not_fit_its_shards_is_refused(string index, string expected)
    {
        using var folder = new TempFolder();
        folder.Write("config.json", Config);
        folder.WriteTensors("one.safetensors", """{"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}""", 8);
        folder.Write("model.safetensors.index.json", index);
        Assert.Contains(expected, Assert.Throws<ModelException>(() => Checkpoint.Open(folder.Path)).Message);
    }
}
