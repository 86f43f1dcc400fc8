using System.Security.Cryptography;
using Troupe.Actors.Hosting;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Troupe.Model.Layers;

namespace Troupe.Cli.Running;

/// <summary>From a model's name to the model: a folder, or <c>synthetic:CONFIG.json</c> for random weights of that shape.</summary>
internal static class Models
{
    private const string Synthetic = "synthetic:";
    private const ulong Seed = 20261122;

    /// <summary>The name of a model of random weights; ranks get it as troupe.model.</summary>
    public static string SyntheticName(string configFile) => Synthetic + Path.GetFullPath(configFile);

    /// <summary>Finds a model. Reads headers and configuration only.</summary>
    /// <exception cref="ModelException">There is none of this name, or none that we run.</exception>
    public static ModelSource Find(string name)
    {
        if (!name.StartsWith(Synthetic, StringComparison.Ordinal)) return ModelSource.FromFolder(name);
        string file = name[Synthetic.Length..];
        (byte[] json, ModelConfig config) = Config(file, "--synthetic wants a config.json");
        return new ModelSource(name, config,
            new CheckpointFingerprint(Convert.ToHexStringLower(SHA256.HashData(json)), $"random, seed {Seed}"), null, () =>
        {
            var weights = new SyntheticWeights(Seed);
            return (weights.Get, weights);
        }, Mapped: false, (specs, form) =>
        {
            // Random tensors are made whole, and stay beside what they are turned into.
            long made = ShardWeights.Bytes(SyntheticWeights.Outline, config,
                specs.Select(spec => spec with { Split = TensorSplit.Of(config, 0, 1) }));
            return form == default ? made : made + ShardWeights.Bytes(SyntheticWeights.Outline, config, form, specs);
        });
    }

    /// <summary>
    /// A model whose weights nobody will open: a folder, of which headers are read; or a config.json, or a folder with nothing else,
    /// whose weights are taken to be of the type that it names, and mapped from files as a real model's.
    /// </summary>
    /// <exception cref="ModelException">There is none of this name, or none that we run.</exception>
    public static ModelSource Outline(string name)
    {
        bool folder = Directory.Exists(name);
        string file = folder ? Path.Combine(name, "config.json") : name;
        if (name.StartsWith(Synthetic, StringComparison.Ordinal)
            || (folder && Directory.EnumerateFiles(name, "*.safetensors*").Any())) return Find(name) with { Name = name };
        (byte[] json, ModelConfig config) = Config(file, "--model wants a model's folder or a config.json");
        return new ModelSource(name, config, new CheckpointFingerprint(Convert.ToHexStringLower(SHA256.HashData(json)), "none"), null,
            () => throw new ModelException($"{name} has no weights"), Mapped: true,
            (specs, form) => ShardWeights.Bytes(ShardWeights.Outline(config), config, form, specs));
    }

    private static (byte[] Json, ModelConfig Config) Config(string file, string wanted)
    {
        try
        {
            byte[] json = File.ReadAllBytes(file);
            return (json, ModelConfig.Parse(file, json));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelException($"{file}: {(File.Exists(file) ? $"cannot be read: {e.Message}" : "no such file")}; {wanted}", e);
        }
    }
}
