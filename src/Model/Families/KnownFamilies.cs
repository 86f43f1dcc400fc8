using System.Diagnostics.CodeAnalysis;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Families;

/// <summary>All families: the classes of this assembly that implement <see cref="IFamily"/>, found once.</summary>
internal static class KnownFamilies
{
    private static readonly SortedDictionary<string, IFamily> s_byArchitecture = Find();

    /// <summary>The family of a model that was read before.</summary>
    public static IFamily Of(ModelConfig config) => s_byArchitecture[config.Architecture];

    /// <summary>Finds the family that a config.json names, and reads the config by its rules.</summary>
    /// <exception cref="ModelException">The family is not known, or the config is wrong; one line says why.</exception>
    public static ModelConfig Read(ConfigReader reader)
    {
        string known = string.Join(", ", s_byArchitecture.Keys);
        string[] named = reader.Texts("architectures");
        if (named.Length != 1) throw reader.Error("architectures", $"must name one architecture, got {named.Length}; known: {known}");
        if (!s_byArchitecture.TryGetValue(named[0], out IFamily? family))
            throw reader.Error("architectures", $"names {named[0]}, which is not supported; known: {known}");
        return family.Read(reader) with { Architecture = family.Architecture };
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "nothing here is trimmed")]
    private static SortedDictionary<string, IFamily> Find()
    {
        var found = new SortedDictionary<string, IFamily>(StringComparer.Ordinal);
        foreach (Type type in typeof(IFamily).Assembly.GetTypes())
        {
            if (type is not { IsClass: true, IsAbstract: false } || !type.IsAssignableTo(typeof(IFamily))) continue;
            var family = (IFamily)Activator.CreateInstance(type)!;
            found.Add(family.Architecture, family);
        }
        return found;
    }
}
