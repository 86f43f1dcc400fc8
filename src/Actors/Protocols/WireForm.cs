using System.Collections.Frozen;
using Akka.Actor;
using Google.Protobuf;

namespace Troupe.Actors.Protocols;

/// <summary>How one message travels: its manifest (<c>Name/version</c>) and the way to Protobuf bytes and back.</summary>
internal sealed record WireForm(
    Type Type, string Name, int Version, Func<ProtocolMessage, byte[]> Write, Func<byte[], ExtendedActorSystem, ProtocolMessage> Read)
{
    public string Manifest { get; } = $"{Name}/{Version}";

    /// <summary>The form of a message that holds no reference to an actor.</summary>
    public static WireForm Of<TRecord, TProto>(Func<TRecord, TProto> write, Func<TProto, TRecord> read, int version = 1)
        where TRecord : ProtocolMessage where TProto : IMessage<TProto>, new() =>
        Of<TRecord, TProto>(write, (proto, _) => read(proto), version);

    /// <summary>The form of a message that holds references, which only a system can resolve.</summary>
    public static WireForm Of<TRecord, TProto>(
        Func<TRecord, TProto> write, Func<TProto, ExtendedActorSystem, TRecord> read, int version = 1)
        where TRecord : ProtocolMessage where TProto : IMessage<TProto>, new()
    {
        var parser = new MessageParser<TProto>(() => new TProto()).WithDiscardUnknownFields(true);
        return new WireForm(
            typeof(TRecord), typeof(TRecord).Name, version,
            message => write((TRecord)message).ToByteArray(), (bytes, system) => read(parser.ParseFrom(bytes), system));
    }
}

/// <summary>Every wire form, in an order that is the same in all processes of a build.</summary>
internal static class WireForms
{
    public static readonly IReadOnlyList<WireForm> All =
        [.. MembershipWire.Forms, .. StepsWire.Forms, .. RequestsWire.Forms, .. InspectionWire.Forms, .. TraceWire.Forms];

    private static readonly FrozenDictionary<Type, int> ByType = Index(form => form.Type);
    private static readonly FrozenDictionary<string, int> ByManifest = Index(form => form.Manifest);

    /// <summary>Where in <see cref="All"/> the form of a type stands, or -1.</summary>
    public static int IndexOf(Type type) => ByType.TryGetValue(type, out int index) ? index : -1;

    /// <summary>Where in <see cref="All"/> the form of a manifest stands, or -1.</summary>
    public static int IndexOf(string manifest) => ByManifest.TryGetValue(manifest, out int index) ? index : -1;

    /// <summary>Why a manifest is unknown, in words fit for a log: another version of ours, or none of ours.</summary>
    public static string WhyUnknown(string manifest)
    {
        int slash = manifest.LastIndexOf('/');
        var known = slash < 0 ? null : All.FirstOrDefault(form => manifest.AsSpan(0, slash).SequenceEqual(form.Name));
        string got = WireCheck.Printable(manifest);
        return known is null
            ? $"no message has the manifest '{got}'; do all nodes run the same build?"
            : $"{known.Name} is spoken here in version {known.Version}, got '{got}'; do all nodes run the same build?";
    }

    private static FrozenDictionary<TKey, int> Index<TKey>(Func<WireForm, TKey> key) where TKey : notnull =>
        Enumerable.Range(0, All.Count).ToFrozenDictionary(i => key(All[i]));
}
