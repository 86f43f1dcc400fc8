using System.Text;
using System.Text.Json.Nodes;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Checkpoints;

/// <summary>Files that would once have ended in something else than a line for the user.</summary>
public sealed class HostileFileTests
{
    [Fact]
    public void An_error_is_one_bounded_line_whatever_the_file_holds()
    {
        string message = new ModelException($"model: tensor a\u001b[31m\r\nb\tc\u2028d {new string('y', 5000)} is unknown").Message;
        Assert.StartsWith("model: tensor a\\u001b[31m b c d yyy", message, StringComparison.Ordinal);
        Assert.EndsWith("yyy is unknown", message, StringComparison.Ordinal);
        Assert.Contains(" ... ", message, StringComparison.Ordinal);
        Assert.InRange(message.Length, 1900, ModelException.MaxLength);
        Assert.InRange(new ModelException(new string('\0', 5000)).Message.Length, 1900, ModelException.MaxLength);
    }

    [Theory]
    [InlineData("""{"rope_type": "linear", "factor": 1e-320}""", "linear")]
    [InlineData("""{"rope_type": "yarn", "factor": 4, "beta_fast": 1e-320}""", "yarn")]
    public void Factors_that_leave_no_frequency_are_refused(string scaling, string type)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllText(Repository.At("tests", "goldens", "models", "llama",
            "config.json")))!.AsObject();
        config["rope_scaling"] = JsonNode.Parse(scaling);
        string message = Assert.Throws<ModelException>(() => ModelConfig.Parse("config.json",
            Encoding.UTF8.GetBytes(config.ToJsonString()))).Message;
        Assert.Contains($"rope_scaling.rope_type is {type} with factors that make frequencies without end", message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void An_index_without_tensors_and_a_config_without_an_end_are_refused()
    {
        using var folder = new TempFolder();
        folder.Write("config.json", File.ReadAllBytes(Repository.At("tests", "goldens", "models", "llama", "config.json")));
        folder.Write("model.safetensors.index.json", """{"weight_map": {}}""");
        Assert.Contains("its weights name no tensors", Assert.Throws<ModelException>(() => Checkpoint.Open(folder.Path)).Message,
            StringComparison.Ordinal);
        File.Delete(Path.Combine(folder.Path, "config.json"));
        File.CreateSymbolicLink(Path.Combine(folder.Path, "config.json"), "/dev/zero");
        Assert.Contains("config.json: not valid JSON", Assert.Throws<ModelException>(() => Checkpoint.Open(folder.Path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_json_beyond_the_bound_is_not_read()
    {
        using var folder = new TempFolder();
        using (FileStream file = File.Create(Path.Combine(folder.Path, "config.json"))) file.SetLength(5L << 30);
        long before = GC.GetAllocatedBytesForCurrentThread();
        string message = Assert.Throws<ModelException>(() => ModelConfig.Load(folder.Path)).Message;
        Assert.Contains("5368709120 bytes, at most 268435456 are read", message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }
}
