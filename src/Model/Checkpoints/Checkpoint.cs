using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Troupe.Model.Checkpoints;

/// <summary>
/// What two ranks must agree on to serve one model: SHA-256, hex, of config.json and of all tensors' names, types and shapes.
/// </summary>
public sealed record CheckpointFingerprint(string Config, string Tensors);

/// <summary>
/// A model folder that is open: its config and its tensors, mapped from model.safetensors or from the shards that
/// model.safetensors.index.json names. Read-only and safe to share between threads; the views live until it is disposed.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    private const string SingleFile = "model.safetensors", IndexFile = "model.safetensors.index.json";
    private const int MaxShards = 10_000;

    private readonly Dictionary<string, SafetensorsFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafetensorsFile> _where = new(StringComparer.Ordinal);

    private Checkpoint(string folder)
    {
        (Folder, Config) = (folder, ModelConfig.Load(folder));
        try
        {
            if (File.Exists(Path.Combine(folder, SingleFile))) OpenSingle();
            else if (File.Exists(Path.Combine(folder, IndexFile))) OpenShards();
            else throw new ModelException($"{folder} has neither {SingleFile} nor {IndexFile}; only safetensors weights are read");
            Names = [.. _where.Keys.Order(StringComparer.Ordinal)];
            if (Names.Count == 0) throw new ModelException($"{folder}: its weights name no tensors; is the model fully downloaded?");
            string config = Hash(ModelFiles.Bytes(folder, "config.json")), tensors = Hash(Encoding.UTF8.GetBytes(Inventory()));
            FingerPrint = new CheckpointFingerprint(config, tensors);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The model folder.</summary>
    public string Folder { get; }

    /// <summary>The shape of the model.</summary>
    public ModelConfig Config { get; }

    /// <summary>All tensors' names in ordinal order.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Hashes by which ranks find out that they hold different models.</summary>
    public CheckpointFingerprint FingerPrint { get; }

    /// <summary>Bytes of all files.</summary>
    public long FileBytes => _files.Values.Sum(file => file.FileBytes);

    /// <summary>Opens a model folder and checks the headers of its files; no weight is read yet.</summary>
    /// <exception cref="ModelException">Something is missing, damaged or not supported; the message names file, tensor or key.</exception>
    public static Checkpoint Open(string folder) => new(folder);

    /// <summary>Whether there is a tensor of this name.</summary>
    public bool Contains(string name) => _where.ContainsKey(name);

    /// <summary>A tensor of the wanted shape.</summary>
    /// <exception cref="ModelException">No such tensor, another shape, or a type that is not supported.</exception>
    public TensorView Get(string name, params ReadOnlySpan<int> shape)
    {
        if (!_where.TryGetValue(name, out SafetensorsFile? file))
            throw new ModelException(
                $"{Folder}: no tensor {name}, wanted with shape {TensorView.Describe(shape)}; does config.json belong to these weights?");
        TensorView view = file.Get(name);
        if (view.Shape.SequenceEqual(shape)) return view;
        throw new ModelException(
            $"{file.Path}: tensor {name} has shape {TensorView.Describe(view.Shape)}, wanted {TensorView.Describe(shape)}");
    }

    /// <summary>Unmaps all files; every view becomes invalid.</summary>
    public void Dispose()
    {
        foreach (SafetensorsFile file in _files.Values) file.Dispose();
    }

    private void OpenSingle()
    {
        SafetensorsFile file = Shard(SingleFile);
        foreach (string name in file.Names) _where.Add(name, file);
    }

    private void OpenShards()
    {
        string path = Path.Combine(Folder, IndexFile);
        JsonElement index = ModelFiles.Object(path, ModelFiles.Bytes(Folder, IndexFile));
        if (!index.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
            throw new ModelException($"{path}: weight_map must be an object of tensor names and file names, got {ModelFiles.Kind(map)}");
        foreach (JsonProperty property in map.EnumerateObject())
        {
            string shard = property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString()! : "";
            // A file beside the index and nowhere else: an index must not make us open other files.
            if (!shard.EndsWith(".safetensors", StringComparison.Ordinal) || Path.GetFileName(shard) != shard)
                throw new ModelException($"{path}: weight_map: {property.Name} must name a .safetensors file of this folder, "
                    + $"got {ModelFiles.Kind(property.Value)}");
            SafetensorsFile file = Shard(shard);
            if (file.Entry(property.Name) is null)
                throw new ModelException($"{path}: weight_map puts tensor {property.Name} in {shard}, which lacks it");
            _where.Add(property.Name, file);
        }
    }

    private SafetensorsFile Shard(string name)
    {
        if (_files.TryGetValue(name, out SafetensorsFile? file)) return file;
        if (_files.Count == MaxShards) throw new ModelException($"{Path.Combine(Folder, IndexFile)}: more than {MaxShards} files");
        return _files[name] = SafetensorsFile.Open(Path.Combine(Folder, name));
    }

    private string Inventory()
    {
        var text = new StringBuilder();
        foreach (string name in Names)
        {
            TensorEntry entry = _where[name].Entry(name)!;
            text.Append(name).Append(' ').Append(entry.DType).Append(' ').Append(TensorView.Describe(entry.Shape)).Append('\n');
        }
        return text.ToString();
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
