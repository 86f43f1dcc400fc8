namespace Troupe.Devices.All2All;

/// <summary>
/// Who forwards for whom between hosts. On each host, the relay of a source of another host is the member with the source's place within
/// its own host (modulo the host's size), so that the work spreads.
/// </summary>
internal sealed class HostGrid
{
    private readonly Hosts _hosts;
    private readonly int _members;

    public HostGrid(Hosts hosts, int members)
    {
        (_hosts, _members) = (hosts, members);
        Widest = Enumerable.Range(0, members).Max(m => hosts.EndOf(m) - hosts.FirstOf(m));
        MostServed = Enumerable.Range(0, members).Max(m => Served(m).Length);
    }

    /// <summary>Members of the largest host.</summary>
    public int Widest { get; }

    /// <summary>The most sources that one member relays for.</summary>
    public int MostServed { get; }

    /// <summary>The relay of a source on the host of a member.</summary>
    public int Relay(int source, int member)
    {
        int first = _hosts.FirstOf(member);
        return first + (source - _hosts.FirstOf(source)) % (_hosts.EndOf(member) - first);
    }

    /// <summary>The sources of other hosts that a member relays for, ascending.</summary>
    public int[] Served(int member) =>
        [.. Enumerable.Range(0, _members).Where(s => !SameHost(s, member) && Relay(s, member) == member)];

    /// <summary>Whether two members share a host.</summary>
    public bool SameHost(int a, int b) => _hosts.FirstOf(a) == _hosts.FirstOf(b);

    /// <summary>A member's place within its host.</summary>
    public int Place(int member) => member - _hosts.FirstOf(member);
}
