using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Serialization;

namespace Troupe.Actors.Protocols;

/// <summary>
/// Carries every <see cref="ProtocolMessage"/> as Protobuf bytes under the manifest <c>Name/version</c>. Bound in HOCON to
/// <see cref="IProtocolMessage"/>. Whatever arrives and is no message of ours is counted and answered with a
/// <see cref="SerializationException"/>, upon which Akka.NET logs and drops it: no actor ever sees it.
/// </summary>
public sealed class ProtocolSerializer : SerializerWithStringManifest
{
    /// <summary>Our id on the wire; Akka.NET keeps 0 to 40 for itself.</summary>
    public const int Id = 4101;

    private readonly WireCounters _counters;

    /// <summary>Made by Akka.NET from HOCON; counts in <see cref="WireCounters.Process"/>.</summary>
    public ProtocolSerializer(ExtendedActorSystem system) : this(system, WireCounters.Process)
    {
    }

    internal ProtocolSerializer(ExtendedActorSystem system, WireCounters counters) : base(system) => _counters = counters;

    /// <inheritdoc/>
    public override int Identifier => Id;

    /// <inheritdoc/>
    public override string Manifest(object o) => WireForms.All[FormOf(o.GetType())].Manifest;

    /// <summary>The message's bytes.</summary>
    /// <exception cref="SerializationException">No message of ours, an actor is missing, or too long.</exception>
    public override byte[] ToBinary(object obj)
    {
        int form = FormOf(obj.GetType());
        byte[] bytes;
        try
        {
            bytes = WireForms.All[form].Write((ProtocolMessage)obj);
        }
        catch (Exception e)
        {
            // A null where none may be, half a surrogate pair: other exceptions than this one would end the association with the peer.
            throw new SerializationException($"{WireForms.All[form].Name} cannot be sent: {e.Message}", e);
        }

        if (bytes.Length > WireCheck.MaxBytes)
            throw new SerializationException(
                $"{WireForms.All[form].Name} must be at most {WireCheck.MaxBytes} bytes, got {bytes.Length}; send it in parts");
        _counters.Sent(form, bytes.Length);
        return bytes;
    }

    /// <summary>The message that the bytes hold.</summary>
    /// <exception cref="SerializationException">Unknown manifest or version, malformed bytes, or a value out of bounds.</exception>
    public override object FromBinary(byte[] bytes, string manifest)
    {
        int form = WireForms.IndexOf(manifest ?? "");
        if (form < 0)
        {
            _counters.DroppedUnknown();
            throw new SerializationException(WireForms.WhyUnknown(manifest ?? ""));
        }

        try
        {
            WireCheck.Count(bytes.Length, WireCheck.MaxBytes);
            var message = WireForms.All[form].Read(bytes, system);
            _counters.Received(form, bytes.Length);
            return message;
        }
        catch (Exception e)
        {
            // Whatever a stranger's bytes make a parser throw is the same to us: one malformed message.
            _counters.DroppedMalformed();
            throw new SerializationException($"{manifest} of {bytes?.Length ?? 0} bytes dropped: {e.Message}", e);
        }
    }

    internal static int FormOf(Type type) => WireForms.IndexOf(type) is >= 0 and var index
        ? index
        : throw new SerializationException($"{type.FullName} has no wire form; add it to the *Wire.cs of its conversation");
}
