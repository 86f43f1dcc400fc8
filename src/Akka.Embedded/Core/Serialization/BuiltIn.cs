using System.Buffers.Binary;
using System.Runtime.Serialization;
using System.Text;
using Akka.Actor;

namespace Akka.Serialization;

/// <summary>byte[] as it is.</summary>
public sealed class ByteArraySerializer(ExtendedActorSystem system) : Serializer(system)
{
    public override bool IncludeManifest => false;
    public override byte[] ToBinary(object obj) => (byte[])obj;
    public override object FromBinary(byte[] bytes, Type type) => bytes;
}

/// <summary>Text as UTF-8; int and long in little-endian order. As with Akka.NET nothing else: no bool, no double.</summary>
public sealed class PrimitiveSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    public override string Manifest(object o) => o switch
    {
        string => "S",
        int => "I",
        long => "L",
        _ => throw new ArgumentException($"not a primitive: {o?.GetType()}"),
    };

    public override byte[] ToBinary(object obj) => obj switch
    {
        string text => Encoding.UTF8.GetBytes(text),
        int number => BitConverter.GetBytes(number),
        long number => BitConverter.GetBytes(number),
        _ => throw new ArgumentException($"not a primitive: {obj?.GetType()}"),
    };

    public override object FromBinary(byte[] bytes, string manifest) => manifest switch
    {
        "S" => Encoding.UTF8.GetString(bytes),
        "I" => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        "L" => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        _ => throw new SerializationException($"unknown manifest {manifest}"),
    };
}

/// <summary>A failure that came from another node; its class stayed there.</summary>
public class RemoteFailureException(string message) : AkkaException(message);

/// <summary>The messages of this library that travel. A payload inside goes through its own serializer.</summary>
public sealed class MiscMessageSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    internal const int MaxDepth = 16;

    /// <summary>How many payloads of each other this thread is inside of.</summary>
    [ThreadStatic] private static int t_depth;

    public override string Manifest(object o) => o switch
    {
        Identify => "ID",
        ActorIdentity => "AID",
        PoisonPill => "PP",
        Kill => "K",
        Status.Success => "SS",
        Status.Failure => "SF",
        _ => throw new ArgumentException($"no manifest for {o?.GetType()}"),
    };

    public override byte[] ToBinary(object obj)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        switch (obj)
        {
            case Identify identify:
                WritePayload(writer, identify.MessageId);
                break;
            case ActorIdentity identity:
                WritePayload(writer, identity.MessageId);
                writer.Write(Serialization.SerializedActorPath(identity.Subject));
                break;
            case Status.Success success:
                WritePayload(writer, success.Status);
                break;
            case Status.Failure failure:
                writer.Write($"{failure.Cause?.GetType().Name}: {failure.Cause?.Message}");
                WritePayload(writer, failure.State);
                break;
        }
        return stream.ToArray();
    }

    public override object FromBinary(byte[] bytes, string manifest)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes), Encoding.UTF8);
        switch (manifest)
        {
            case "ID": return new Identify(ReadPayload(reader));
            case "AID":
                object id = ReadPayload(reader);
                string path = reader.ReadString();
                return new ActorIdentity(id, path.Length == 0 ? null : system.Provider.ResolveActorRef(path));
            case "PP": return PoisonPill.Instance;
            case "K": return Kill.Instance;
            case "SS": return new Status.Success(ReadPayload(reader));
            case "SF": return new Status.Failure(new RemoteFailureException(reader.ReadString()), ReadPayload(reader));
            default: throw new SerializationException($"unknown manifest {manifest}");
        }
    }

    private void WritePayload(BinaryWriter writer, object payload)
    {
        writer.Write(payload is not null);
        if (payload is null) return;
        var serializer = system.Serialization.FindSerializerFor(payload);
        byte[] bytes = Deeper(() => serializer.ToBinary(payload));
        writer.Write(serializer.Identifier);
        writer.Write(Serialization.ManifestFor(serializer, payload));
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }

    private object ReadPayload(BinaryReader reader)
    {
        if (!reader.ReadBoolean()) return null;
        int identifier = reader.ReadInt32();
        string manifest = reader.ReadString();
        int length = reader.ReadInt32();
        long left = reader.BaseStream.Length - reader.BaseStream.Position;
        if (length < 0 || length > left) throw new SerializationException($"a payload of {length} bytes, but only {left} are left");
        byte[] bytes = reader.ReadBytes(length);
        return Deeper(() => system.Serialization.Deserialize(bytes, identifier, manifest));
    }

    /// <summary>A frame holds thousands of levels: without this, the stack would end before they do.</summary>
    private static T Deeper<T>(Func<T> step)
    {
        if (t_depth == MaxDepth) throw new SerializationException($"payloads of Akka's messages nest at most {MaxDepth} deep");
        t_depth++;
        try
        {
            return step();
        }
        finally
        {
            t_depth--;
        }
    }
}
