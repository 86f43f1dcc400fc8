namespace Akka.Actor;

/// <summary>Where an actor system is: protocol://system, with @host:port when it can be reached from other nodes. Equal by value.</summary>
public sealed class Address : IEquatable<Address>, IComparable<Address>
{
    /// <summary>The address of no system, for references that belong to none.</summary>
    public static readonly Address AllSystems = new("akka", "all-systems");

    private readonly string _text;

    public Address(string protocol, string system, string host = null, int? port = null)
    {
        (Protocol, System, Host, Port) = (protocol, system, host, port);
        _text = $"{protocol}://{HostPort()}";
    }

    public string Protocol { get; }
    public string System { get; }
    public string Host { get; }
    public int? Port { get; }

    /// <summary>No host: known only inside its own system.</summary>
    public bool HasLocalScope => string.IsNullOrEmpty(Host);

    /// <summary>system@host:port, or only the system.</summary>
    public string HostPort() => Host is null ? System : Port is null ? $"{System}@{Host}" : $"{System}@{Host}:{Port}";

    /// <summary>Reads protocol://system@host:port.</summary>
    /// <exception cref="UriFormatException">It is none.</exception>
    public static Address Parse(string address) => TryParse(address, out var parsed)
        ? parsed : throw new UriFormatException($"an address must be like akka.tcp://system@host:port, got {address}");

    /// <summary>Reads the address at the start of a path; what follows it is ignored.</summary>
    public static bool TryParse(string path, out Address address) => TryParse(path, out address, out _);

    internal static bool TryParse(string path, out Address address, out string rest)
    {
        (address, rest) = (null, "");
        if (path is null) return false;
        int scheme = path.IndexOf("://", StringComparison.Ordinal);
        if (scheme <= 0) return false;
        int end = path.IndexOf('/', scheme + 3);
        if (end < 0) end = path.Length;
        string authority = path[(scheme + 3)..end], host = null;
        rest = path[end..];
        int? port = null;
        int at = authority.IndexOf('@');
        string system = at < 0 ? authority : authority[..at];
        if (at >= 0)
        {
            int colon = authority.LastIndexOf(':');
            if (colon < at || !ushort.TryParse(authority.AsSpan(colon + 1), out ushort number)) return false;
            (host, port) = (authority[(at + 1)..colon], number);
            if (host.Length == 0) return false;
        }
        if (system.Length == 0) return false;
        address = new Address(path[..scheme], system, host, port);
        return true;
    }

    public bool Equals(Address other) => ReferenceEquals(this, other) || (other is not null && _text == other._text);
    public override bool Equals(object obj) => Equals(obj as Address);
    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);
    public int CompareTo(Address other) => string.CompareOrdinal(_text, other?._text);
    public override string ToString() => _text;
    public static bool operator ==(Address left, Address right) => left is null ? right is null : left.Equals(right);
    public static bool operator !=(Address left, Address right) => !(left == right);
}
