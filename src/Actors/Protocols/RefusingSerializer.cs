using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Serialization;

namespace Troupe.Actors.Protocols;

/// <summary>
/// Stands where Akka.NET has its JSON serializer: id 1, bound to System.Object. That one creates whatever type a sender names; this one
/// refuses everything, so that only messages with a serializer of their own cross a wire. It takes a string manifest because Akka.NET would
/// look up the type that the sender names before it asked any other kind of serializer.
/// </summary>
public sealed class RefusingSerializer : SerializerWithStringManifest
{
    /// <summary>The id of the serializer that it replaces.</summary>
    public const int Id = 1;

    /// <summary>Made by Akka.NET where <c>serialization-settings</c> has nothing under its name.</summary>
    public RefusingSerializer(ExtendedActorSystem system) : base(system)
    {
    }

    /// <summary>Made by Akka.NET where <c>serialization-settings</c> has a section under its name; nothing in it matters.</summary>
    public RefusingSerializer(ExtendedActorSystem system, Config config) : base(system) => _ = config;

    /// <inheritdoc/>
    public override int Identifier => Id;

    /// <inheritdoc/>
    public override string Manifest(object o) => throw Refuse(o);

    /// <summary>Always throws, naming the type.</summary>
    public override byte[] ToBinary(object obj) => throw Refuse(obj);

    /// <summary>Always throws.</summary>
    public override object FromBinary(byte[] bytes, string manifest)
    {
        WireCounters.Process.RefusedObject();
        throw new SerializationException(
            $"{bytes?.Length ?? 0} bytes under serializer {Id} dropped: nothing is deserialized by a type name that its sender chose");
    }

    private static SerializationException Refuse(object? got)
    {
        WireCounters.Process.RefusedObject();
        string type = got?.GetType().FullName ?? "null";
        return new SerializationException($"{type} is no {nameof(IProtocolMessage)} and may not leave this process; add it to Protocols");
    }
}
