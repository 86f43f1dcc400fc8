using System.Text;

namespace Akka.Actor;

/// <summary>
/// The place of an actor in its system's tree. Equal by address and names; the uid, which tells the incarnations of one name
/// apart (0: any), takes no part.
/// </summary>
public abstract class ActorPath : IEquatable<ActorPath>
{
    private string _text;

    private protected ActorPath(string name, long uid) => (Name, Uid) = (name, uid);

    public string Name { get; }
    public long Uid { get; }
    public abstract Address Address { get; }
    public abstract ActorPath Parent { get; }
    public abstract ActorPath Root { get; }

    /// <summary>The names from the root down, without the root.</summary>
    public IReadOnlyList<string> Elements
    {
        get
        {
            var names = new List<string>();
            for (ActorPath at = this; at is not RootActorPath; at = at.Parent) names.Add(at.Name);
            names.Reverse();
            return names;
        }
    }

    public static ActorPath operator /(ActorPath path, string name) => new ChildActorPath(path, name, 0);
    public static ActorPath operator /(ActorPath path, IEnumerable<string> names) => names.Aggregate(path, (at, name) => at / name);

    /// <summary>Reads akka://system/user/a, akka.tcp://system@host:port/user/a, each with #uid at its end or not.</summary>
    /// <exception cref="UriFormatException">It is none.</exception>
    public static ActorPath Parse(string path) => TryParse(path, out var parsed)
        ? parsed : throw new UriFormatException($"an actor path must be like akka://system/user/name, got {path}");

    public static bool TryParse(string path, out ActorPath actorPath)
    {
        actorPath = null;
        if (!Address.TryParse(path, out var address, out string rest)) return false;
        long uid = 0;
        int hash = rest.IndexOf('#');
        if (hash >= 0 && !long.TryParse(rest.AsSpan(hash + 1), out uid)) return false;
        if (hash >= 0) rest = rest[..hash];
        actorPath = new RootActorPath(address);
        foreach (string name in rest.Split('/', StringSplitOptions.RemoveEmptyEntries)) actorPath /= name;
        actorPath = actorPath.WithUid(uid);
        return true;
    }

    /// <summary>ASCII letters, digits, %hh and -_.*$+:@&amp;=,!~';() ; not empty, no $ at its start.</summary>
    public static bool IsValidPathElement(string s)
    {
        if (string.IsNullOrEmpty(s) || s[0] == '$') return false;
        for (int i = 0; i < s.Length; i++)
        {
            if (s[i] == '%' && i + 2 < s.Length && char.IsAsciiHexDigit(s[i + 1]) && char.IsAsciiHexDigit(s[i + 2])) i += 2;
            else if (!char.IsAsciiLetterOrDigit(s[i]) && !"-_.*$+:@&=,!~';()".Contains(s[i])) return false;
        }
        return true;
    }

    /// <summary>/user/a</summary>
    public string ToStringWithoutAddress()
    {
        if (_text is not null) return _text;
        var text = new StringBuilder();
        foreach (string name in Elements) text.Append('/').Append(name);
        return _text = text.Length == 0 ? "/" : text.ToString();
    }

    /// <summary>akka://system/user/a</summary>
    public string ToStringWithAddress() => Address + ToStringWithoutAddress();

    /// <summary>The same, with this address where the path has no host of its own.</summary>
    public string ToStringWithAddress(Address address) => (Address.HasLocalScope ? address : Address) + ToStringWithoutAddress();

    /// <summary>akka://system/user/a#123</summary>
    public string ToSerializationFormat() => AppendUid(ToStringWithAddress());

    /// <summary>The same, with this address where the path has no host of its own.</summary>
    public string ToSerializationFormatWithAddress(Address address) => AppendUid(ToStringWithAddress(address));

    public abstract ActorPath WithUid(long uid);

    private string AppendUid(string text) => Uid == 0 ? text : $"{text}#{Uid}";

    public bool Equals(ActorPath other)
    {
        for (ActorPath a = this, b = other; !ReferenceEquals(a, b); a = a.Parent, b = b.Parent)
        {
            if (b is null || a.Name != b.Name) return false;
            if (a is RootActorPath || b is RootActorPath) return a is RootActorPath && b is RootActorPath && a.Address == b.Address;
        }
        return true;
    }

    public override bool Equals(object obj) => Equals(obj as ActorPath);
    public override int GetHashCode() => HashCode.Combine(Name, Parent is RootActorPath ? Address.GetHashCode() : 0);
    public override string ToString() => ToStringWithAddress();
    public static bool operator ==(ActorPath left, ActorPath right) => left is null ? right is null : left.Equals(right);
    public static bool operator !=(ActorPath left, ActorPath right) => !(left == right);
}

/// <summary>The root of a system's tree.</summary>
public sealed class RootActorPath(Address address, string name = "") : ActorPath(name, 0)
{
    public override Address Address { get; } = address;
    public override ActorPath Parent => this;
    public override ActorPath Root => this;

    /// <inheritdoc/>
    public override ActorPath WithUid(long uid) => this;
}

internal sealed class ChildActorPath(ActorPath parent, string name, long uid) : ActorPath(name, uid)
{
    public override Address Address => Root.Address;
    public override ActorPath Parent { get; } = parent;
    public override ActorPath Root { get; } = parent.Root;
    public override ActorPath WithUid(long uid) => uid == Uid ? this : new ChildActorPath(Parent, Name, uid);
}
