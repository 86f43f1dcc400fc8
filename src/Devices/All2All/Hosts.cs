namespace Troupe.Devices.All2All;

/// <summary>
/// Which members of a group share a host: neighbours with the same label. Members of one label that are not neighbours count as apart.
/// </summary>
public sealed class Hosts
{
    private readonly int[] _firstOf, _endOf;

    /// <summary>Takes the label of each member's host, in the order of the group.</summary>
    public Hosts(IReadOnlyList<string> labels)
    {
        Labels = labels;
        (_firstOf, _endOf) = (new int[labels.Count], new int[labels.Count]);
        for (int first = 0; first < labels.Count; Count++)
        {
            int end = first + 1;
            while (end < labels.Count && labels[end] == labels[first]) end++;
            _firstOf.AsSpan(first, end - first).Fill(first);
            _endOf.AsSpan(first, end - first).Fill(end);
            first = end;
        }
    }

    /// <summary>All members on one host.</summary>
    public static Hosts One(int members) => new([.. Enumerable.Repeat("", members)]);

    /// <summary>How many hosts there are.</summary>
    public int Count { get; }

    /// <summary>The host of each member.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>The first of the members that share a member's host.</summary>
    public int FirstOf(int member) => _firstOf[member];

    /// <summary>The end of the members that share a member's host.</summary>
    public int EndOf(int member) => _endOf[member];
}
