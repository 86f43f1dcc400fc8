using Akka.Actor;
using Akka.Configuration;

namespace Akka.Serialization;

/// <summary>Bytes for messages that leave the process.</summary>
public abstract class Serializer
{
    protected readonly ExtendedActorSystem system;
    private int _identifier;

    protected Serializer(ExtendedActorSystem system) => this.system = system;

    /// <summary>Its number on the wire: overridden, or from akka.actor.serialization-identifiers. 0 to 40 are Akka's.</summary>
    public virtual int Identifier => _identifier != 0 ? _identifier : _identifier = Serialization.ConfiguredIdentifier(system, GetType());

    public abstract bool IncludeManifest { get; }
    public abstract byte[] ToBinary(object obj);
    public abstract object FromBinary(byte[] bytes, Type type);
}

/// <summary>A serializer that names the kinds of its messages itself, so that the wire never names a type.</summary>
public abstract class SerializerWithStringManifest : Serializer
{
    protected SerializerWithStringManifest(ExtendedActorSystem system) : base(system)
    {
    }

    public sealed override bool IncludeManifest => true;

    public sealed override object FromBinary(byte[] bytes, Type type) => FromBinary(bytes, type?.FullName ?? "");

    public abstract object FromBinary(byte[] bytes, string manifest);

    public abstract string Manifest(object o);
}
