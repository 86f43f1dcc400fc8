using System.Collections.Concurrent;
using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Configuration;

namespace Akka.Serialization;

/// <summary>The serializers that akka.actor.serializers and serialization-bindings name. Nothing from the wire names a type.</summary>
public class Serialization
{
    private readonly ActorSystemImpl _system;
    private readonly Dictionary<string, Serializer> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<int, Serializer> _byIdentifier = [];
    private readonly List<(Type Type, Serializer Serializer)> _bindings = [];
    private readonly ConcurrentDictionary<Type, Serializer> _chosen = new();

    internal Serialization(ActorSystemImpl system)
    {
        _system = system;
        var config = system.Settings.Config.GetConfig("akka.actor");
        foreach (var (name, type) in config.GetConfig("serializers").AsEnumerable()) Add(name, type.GetString(), config);
        foreach (var (type, name) in config.GetConfig("serialization-bindings").AsEnumerable()) Bind(type, name.GetString());
    }

    /// <exception cref="SerializationException">No serializer is bound to the class, nor to anything that it is.</exception>
    public Serializer FindSerializerFor(object obj)
    {
        var type = obj?.GetType() ?? throw new SerializationException("null cannot be serialized");
        if (!_chosen.TryGetValue(type, out var serializer)) serializer = _chosen[type] = Choose(type);
        return serializer ?? throw new SerializationException(
            $"no serializer is bound to {type}; bind one in akka.actor.serialization-bindings, to it or to an interface of it");
    }

    public byte[] Serialize(object o) => FindSerializerFor(o).ToBinary(o);

    /// <exception cref="SerializationException">No serializer has that identifier.</exception>
    public object Deserialize(byte[] bytes, int serializerId, string manifest)
    {
        if (!_byIdentifier.TryGetValue(serializerId, out var serializer))
            throw new SerializationException($"no serializer has the identifier {serializerId} (manifest {manifest})");
        return serializer is SerializerWithStringManifest named
            ? named.FromBinary(bytes, manifest) : serializer.FromBinary(bytes, (Type)null);
    }

    /// <summary>The reference that <see cref="SerializedActorPath"/> wrote.</summary>
    public IActorRef DeserializeActorRef(string path) => string.IsNullOrEmpty(path) ? _system.DeadLetters : _system.ResolveActorRef(path);

    /// <summary>Path and uid, with the address that peers use. Empty for no reference.</summary>
    public static string SerializedActorPath(IActorRef actorRef) => actorRef switch
    {
        null => "",
        InternalActorRef { System: { } system } => actorRef.Path.ToSerializationFormatWithAddress(system.DefaultAddress),
        _ => actorRef.Path.ToSerializationFormat(),
    };

    public static string ManifestFor(Serializer s, object msg) => s is SerializerWithStringManifest named ? named.Manifest(msg) : "";

    internal static int ConfiguredIdentifier(ExtendedActorSystem system, Type type)
    {
        foreach (var (name, value) in system.Settings.Config.GetConfig("akka.actor.serialization-identifiers").AsEnumerable())
        {
            if (TypeNames.Resolve(name) == type) return value.GetInt();
        }
        throw new ArgumentException($"{type} has no identifier: override Identifier, or set " +
            $"akka.actor.serialization-identifiers.\"{type}, {type.Assembly.GetName().Name}\"");
    }

    private void Add(string name, string typeName, Config config)
    {
        if (string.IsNullOrEmpty(typeName)) return;
        var type = TypeNames.Resolve(typeName);
        if (type is null || !typeof(Serializer).IsAssignableFrom(type))
            throw new ConfigurationException($"akka.actor.serializers.{name} must name a class of serializer, got {typeName}");
        var settings = config.GetConfig($"serialization-settings.{name}");
        var serializer = (Serializer)(settings is null
            ? Activator.CreateInstance(type, _system) : Activator.CreateInstance(type, _system, settings));
        if (!_byIdentifier.TryAdd(serializer.Identifier, serializer) && _byIdentifier[serializer.Identifier].GetType() != type)
            throw new ConfigurationException($"{type} and {_byIdentifier[serializer.Identifier].GetType()} have the same identifier");
        _byName[name] = serializer;
    }

    private void Bind(string typeName, string serializerName)
    {
        var type = TypeNames.Resolve(typeName)
            ?? throw new ConfigurationException($"akka.actor.serialization-bindings names {typeName}, which cannot be found");
        if (serializerName is null || !_byName.TryGetValue(serializerName, out var serializer))
            throw new ConfigurationException($"akka.actor.serialization-bindings binds {typeName} to {serializerName}, no serializer");
        _bindings.Add((type, serializer));
    }

    /// <summary>The exact class, else what it is, System.Object last; null: none.</summary>
    private Serializer Choose(Type type) => _bindings
        .Where(binding => binding.Type.IsAssignableFrom(type))
        .OrderBy(binding => binding.Type == type ? 0 : binding.Type == typeof(object) ? 2 : 1)
        .Select(binding => binding.Serializer).FirstOrDefault();
}
