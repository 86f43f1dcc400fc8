using System.Text;
using Troupe.Model.Chat;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;
using Troupe.Testing;
using Troupe.Testing.Fuzz;

namespace Troupe.Model.Tests.Fuzz;

/// <summary>
/// Whole folders of a sound model in which one file is damaged, and now and then a link leads nowhere, a folder stands for a file or
/// weights
/// end early. An input is the file, what is wrong on the disc, and what the file holds.
/// </summary>
internal sealed class FolderTarget : FuzzTarget, IDisposable
{
    private const string Index = "model.safetensors.index.json", Shard = "model-00002-of-00004.safetensors";
    private static readonly string s_sound = Repository.At("tests", "goldens", "models", "qwen3-moe-mixed");

    private static readonly (string Name, byte[] Text)[] s_files =
    [
        ("config.json", File.ReadAllBytes(Path.Combine(s_sound, "config.json"))),
        ("generation_config.json", File.ReadAllBytes(Path.Combine(s_sound, "generation_config.json"))),
        (Index, File.ReadAllBytes(Path.Combine(s_sound, Index))),
        ("tokenizer_config.json", Encoding.UTF8.GetBytes("""
            {"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [{"name": "default", "template": "{{ bos_token }}"},
            {"name": "tool_use", "template": "{{ messages }}"}]}
            """)),
    ];

    private static readonly JsonMutator s_json = new(["weight_map", "metadata", "eos_token_id", "chat_template", "name", "template",
        "lm_head.weight"],
        [$"\"{Shard}\"", "\"model.safetensors\"", "\"../config.json\"", "\"/dev/zero\"", "\"a\\u0000.safetensors\"", "\".safetensors\"",
        "\"no.safetensors\"",
            "[1, 2]", "[-1]", "\"{% if %}\""],
        new Dictionary<string, string[]>(StringComparer.Ordinal) { ["eos_token_id"] = ["1", "[1, 2]", "[]", "4194304"] });

    private readonly string _folder = Directory.CreateTempSubdirectory("troupe-fuzz-").FullName;

    public override string Kind => "folders";

    public override int Cases => 500;

    public override IReadOnlyList<byte[]> Seeds { get; } = [.. s_files.Select((file, i) => (byte[])[(byte)i, 0, .. file.Text])];

    public override bool IsRefusal(Exception e) => e is ModelException;

    // The headers of four shards and what names their tensors; then the weights are counted, an object for each.
    public override long MayAllocate(int inputBytes) => (16 << 20) + 300L * inputBytes;

    public override byte[] Make(Random random)
    {
        int file = random.Next(s_files.Length);
        return [(byte)file, (byte)random.Next(20), .. s_json.Mutate(s_files[file].Text, s_files[random.Next(s_files.Length)].Text, random)];
    }

    public override void Use(byte[] input, Random random)
    {
        if (input.Length < 2) return;
        foreach (string old in Directory.EnumerateFileSystemEntries(_folder))
            if (Directory.Exists(old)) Directory.Delete(old);
            else File.Delete(old);
        for (int i = 0; i < s_files.Length; i++)
            File.WriteAllBytes(Path.Combine(_folder, s_files[i].Name), i == input[0] % s_files.Length ? input[2..] : s_files[i].Text);
        foreach (string shard in Directory.EnumerateFiles(s_sound, "*.safetensors"))
            File.CreateSymbolicLink(Path.Combine(_folder, Path.GetFileName(shard)), shard);
        Spoil(input[1]);
        // Both are read whatever becomes of the other.
        ModelException? refused = Refused(() => ChatTemplate.Load(_folder)) ?? Refused(() =>
        {
            using var checkpoint = Checkpoint.Open(_folder);
            Check(checkpoint.FileBytes > 0 && checkpoint.Names.All(checkpoint.Contains), "the folder has tensors that it does not know");
            ModelConfig config = checkpoint.Config;
            Check(config.EosTokenIds.All(id => id >= 0 && id < config.VocabSize), "a text ends with an id that is not in the vocabulary");
            if (config.Layers <= 8) ShardWeights.Bytes(checkpoint.Get, config, ShardSpec.Whole(config));
        });
        if (refused is not null) throw refused;
    }

    public void Dispose()
    {
        Check(!File.ReadAllText("/proc/self/maps").Contains(_folder, StringComparison.Ordinal), "a file is still mapped");
        Directory.Delete(_folder, recursive: true);
    }

    private static ModelException? Refused(Action read)
    {
        try
        {
            read();
            return null;
        }
        catch (ModelException e)
        {
            return e;
        }
    }

    private void Spoil(byte how)
    {
        string shard = Path.Combine(_folder, Shard), own = Path.Combine(_folder, "model.safetensors"), config = Path.Combine(_folder,
            "config.json");
        if (how is >= 1 and <= 5) File.Delete(shard);
        if (how == 1) File.CreateSymbolicLink(shard, Path.Combine(_folder, "nowhere"));
        else if (how == 2) Directory.CreateDirectory(shard);
        else if (how == 3) File.WriteAllBytes(shard, []);
        else if (how == 4) File.CreateSymbolicLink(shard, shard);
        else if (how == 5) File.WriteAllBytes(shard, File.ReadAllBytes(Path.Combine(s_sound, Shard))[..70_000]);
        else if (how == 6) File.WriteAllBytes(own, [1, 2, 3]);
        else if (how == 7) File.CreateSymbolicLink(own, "/dev/zero");
        else if (how == 8) File.Delete(config);
        else if (how == 9) File.Move(config, Path.Combine(_folder, "chat_template.jinja"));
        else if (how == 10) File.CreateSymbolicLink(Path.Combine(_folder, "chat_template.jinja"), "/dev/zero");
    }
}
