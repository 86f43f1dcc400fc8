using System.Collections.Immutable;
using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Remote;
using Akka.Serialization;

namespace Akka.Cluster;

/// <summary>What cluster daemons and singletons say to each other.</summary>
internal interface IClusterWireMessage;

/// <summary>Asks a seed node whether it could let us join.</summary>
internal sealed record SeedQuestion : IClusterWireMessage;

/// <summary>Whether it could: whether it is in a cluster itself.</summary>
internal sealed record SeedAnswer(bool Accepts) : IClusterWireMessage;

/// <summary>Asks to join.</summary>
internal sealed record JoinRequest(UniqueAddress Node, ImmutableHashSet<string> Roles) : IClusterWireMessage;

/// <summary>The state of the cluster, as answer to a join (Welcome) or as gossip.</summary>
internal sealed record GossipEnvelope(UniqueAddress From, bool Welcome, Gossip Gossip) : IClusterWireMessage;

/// <summary>An exiting member is ready to be removed.</summary>
internal sealed record ReadyToExit(UniqueAddress Node) : IClusterWireMessage;

/// <summary>The next oldest asks for the singleton.</summary>
internal sealed record HandOver : IClusterWireMessage;

/// <summary>The singleton has stopped here.</summary>
internal sealed record HandOverDone : IClusterWireMessage;

/// <summary>These messages as bytes. Every count and length is checked; nothing names a type.</summary>
internal sealed class ClusterSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    private const int MaxNodes = 4096, MaxRoles = 64, MaxTextBytes = 255;

    public override int Identifier => 5;

    public override string Manifest(object o) => o switch
    {
        SeedQuestion => "SQ",
        SeedAnswer => "SA",
        JoinRequest => "J",
        GossipEnvelope => "G",
        ReadyToExit => "RE",
        HandOver => "HO",
        HandOverDone => "HD",
        _ => throw new ArgumentException($"no message between cluster daemons: {o?.GetType()}"),
    };

    public override byte[] ToBinary(object obj)
    {
        var writer = new WireWriter();
        switch (obj)
        {
            case SeedAnswer answer:
                writer.U8(answer.Accepts ? (byte)1 : (byte)0);
                break;
            case JoinRequest join:
                WriteNode(writer, join.Node);
                WriteRoles(writer, join.Roles);
                break;
            case GossipEnvelope envelope:
                WriteNode(writer, envelope.From);
                writer.U8(envelope.Welcome ? (byte)1 : (byte)0);
                WriteGossip(writer, envelope.Gossip);
                break;
            case ReadyToExit ready:
                WriteNode(writer, ready.Node);
                break;
        }
        byte[] bytes = writer.ToArray();
        writer.Return();
        return bytes;
    }

    public override object FromBinary(byte[] bytes, string manifest)
    {
        var reader = new WireReader(bytes);
        object message = manifest switch
        {
            "SQ" => new SeedQuestion(),
            "SA" => new SeedAnswer(reader.U8() == 1),
            "J" => new JoinRequest(ReadNode(ref reader), ReadRoles(ref reader)),
            "G" => new GossipEnvelope(ReadNode(ref reader), reader.U8() == 1, ReadGossip(ref reader)),
            "RE" => new ReadyToExit(ReadNode(ref reader)),
            "HO" => new HandOver(),
            "HD" => new HandOverDone(),
            _ => throw new SerializationException($"unknown manifest {manifest}"),
        };
        reader.End();
        return message;
    }

    private static void WriteNode(WireWriter writer, UniqueAddress node) => writer.Text(node.Address.ToString()).I32(node.Uid);

    private static UniqueAddress ReadNode(ref WireReader reader)
    {
        string text = reader.Text(Frames.MaxAddressBytes);
        return Address.TryParse(text, out var address) && address.Port is not null
            ? new UniqueAddress(address, reader.I32()) : throw new WireException($"a node's address is {text}");
    }

    private static void WriteRoles(WireWriter writer, ImmutableHashSet<string> roles)
    {
        writer.U16(roles.Count);
        foreach (string role in roles) writer.Text(role);
    }

    private static ImmutableHashSet<string> ReadRoles(ref WireReader reader)
    {
        var roles = ImmutableHashSet.CreateBuilder<string>();
        for (int left = reader.Count(MaxRoles); left > 0; left--) roles.Add(reader.Text(MaxTextBytes));
        return roles.ToImmutable();
    }

    /// <summary>Each node once; then members, observations and removed ones, which name nodes by their place.</summary>
    private static void WriteGossip(WireWriter writer, Gossip gossip)
    {
        UniqueAddress[] nodes = [.. gossip.Members.Keys.Concat(gossip.Observations.Keys).Concat(gossip.Removed.Keys)
            .Concat(gossip.Observations.Values.SelectMany(observation => observation.Unreachable)).Distinct()];
        var places = nodes.Select((node, place) => (node, place)).ToDictionary(entry => entry.node, entry => entry.place);
        writer.U16(nodes.Length);
        foreach (var node in nodes) WriteNode(writer, node);
        writer.U16(gossip.Members.Count);
        foreach (var (node, member) in gossip.Members)
        {
            writer.U16(places[node]).U8((byte)member.Status).I32(member.UpNumber);
            WriteRoles(writer, member.Roles);
        }
        writer.U16(gossip.Observations.Count);
        foreach (var (node, observation) in gossip.Observations)
        {
            writer.U16(places[node]).I64(observation.Version).I64((long)observation.Seen).U16(observation.Unreachable.Count);
            foreach (var unreachable in observation.Unreachable) writer.U16(places[unreachable]);
        }
        writer.U16(gossip.Removed.Count);
        foreach (var (node, stone) in gossip.Removed) writer.U16(places[node]).I64(stone.Order).U8(stone.Downed ? (byte)1 : (byte)0);
    }

    private static Gossip ReadGossip(ref WireReader reader)
    {
        var nodes = new UniqueAddress[reader.Count(MaxNodes)];
        for (int place = 0; place < nodes.Length; place++) nodes[place] = ReadNode(ref reader);
        var gossip = Gossip.Empty;
        var (members, observations, removed) = (gossip.Members, gossip.Observations, gossip.Removed);
        for (int left = reader.Count(MaxNodes); left > 0; left--)
        {
            var node = nodes[Place(ref reader, nodes)];
            var status = (MemberStatus)reader.U8();
            if (status >= MemberStatus.Removed) throw new WireException($"a member's status is {(int)status}");
            members = members.SetItem(node, new Member(node, status, reader.I32(), ReadRoles(ref reader)));
        }
        for (int left = reader.Count(MaxNodes); left > 0; left--)
        {
            var node = nodes[Place(ref reader, nodes)];
            var (version, seen) = (reader.I64(), (ulong)reader.I64());
            var unreachable = new UniqueAddress[reader.Count(MaxNodes)];
            for (int i = 0; i < unreachable.Length; i++) unreachable[i] = nodes[Place(ref reader, nodes)];
            observations = observations.SetItem(node, new Observation(version, [.. unreachable], seen));
        }
        for (int left = reader.Count(Gossip.MaxRemoved); left > 0; left--)
            removed = removed.SetItem(nodes[Place(ref reader, nodes)], new Tombstone(reader.I64(), reader.U8() == 1));
        return gossip with { Members = members, Observations = observations, Removed = removed };
    }

    private static int Place(ref WireReader reader, UniqueAddress[] nodes)
    {
        int place = reader.U16();
        return place < nodes.Length ? place : throw new WireException($"a node's place must be below {nodes.Length}, got {place}");
    }
}
