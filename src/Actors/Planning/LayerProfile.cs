using System.Text.Json;
using System.Text.Json.Serialization;
using Troupe.Actors.Configuration;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Planning;

/// <summary>Measured times of a model's parts in microseconds, to balance stages by in place of <see cref="ActiveWeights"/>.</summary>
/// <param name="LayerUs">Of each layer, in order.</param>
/// <param name="EmbeddingUs">Of the embedding.</param>
/// <param name="HeadUs">Of the last norm, the head and the drawing of a token.</param>
public sealed record LayerProfile(IReadOnlyList<double> LayerUs, double EmbeddingUs, double HeadUs)
{
    private const double MostUs = 1e9, ToNanoseconds = 1000;

    /// <summary>Reads <c>{"layer_us": [...], "embedding_us": X, "head_us": X}</c> and checks it against a model.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="json">The text.</param>
    /// <param name="layers">Layers of the model.</param>
    /// <exception cref="ConfigException">It is no such object, has another number of layers, or a time that is none.</exception>
    public static LayerProfile Parse(string name, string json, int layers)
    {
        LayerProfile profile;
        try
        {
            profile = JsonSerializer.Deserialize(json, ProfileJson.Default.LayerProfile)!;
        }
        catch (JsonException e)
        {
            throw new ConfigException($"{name}: a profile is {{\"layer_us\": [...], \"embedding_us\": X, \"head_us\": X}}: {e.Message}", e);
        }
        if (profile?.LayerUs is null || profile.LayerUs.Count != layers)
            throw new ConfigException($"{name}: layer_us has {profile?.LayerUs?.Count ?? 0} times, but the model has {layers} layers");
        foreach (double us in (double[])[.. profile.LayerUs, profile.EmbeddingUs, profile.HeadUs])
            if (!(us >= 0 && us <= MostUs)) throw new ConfigException($"{name}: a time must be in [0, {MostUs}] microseconds, got {us}");
        return profile;
    }

    /// <summary>The layers of each stage such that the slowest stage is as fast as possible.</summary>
    public LayerSplit Split(int stages) =>
        LayerSplit.Balanced([.. LayerUs.Select(Nanoseconds)], Nanoseconds(EmbeddingUs), Nanoseconds(HeadUs), stages);

    private static long Nanoseconds(double us) => (long)Math.Round(us * ToNanoseconds);
}

/// <summary>Reads profiles.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(LayerProfile))]
internal sealed partial class ProfileJson : JsonSerializerContext;
