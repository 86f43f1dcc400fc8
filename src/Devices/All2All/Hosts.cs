namespace Troupe.Devices.All2All;

/// <summary>Which members of a group share a host: consecutive members do, and hosts are in ascending order.</summary>
public sealed class Hosts
{
    private readonly int[] _endOf;

    /// <summary>Takes the label of each member's host, in the order of the group.</summary>
    /// <exception cref="ArgumentException">The members of a host are not side by side.</exception>
    public Hosts(IReadOnlyList<string> labels)
    {
        Labels = labels;
        _endOf = new int[labels.Count];
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int first = 0; first < labels.Count; Count++)
        {
            if (!seen.Add(labels[first]))
                throw new ArgumentException(
                    $"the ranks of host '{labels[first]}' must be numbered one after the other, got [{string.Join(", ", labels)}]",
                        nameof(labels));
            int end = first + 1;
            while (end < labels.Count && labels[end] == labels[first]) end++;
            for (; first < end; first++) _endOf[first] = end;
        }
    }

    /// <summary>All members on one host.</summary>
    public static Hosts One(int members) => new([.. Enumerable.Repeat("", members)]);

    /// <summary>How many hosts there are.</summary>
    public int Count { get; }

    /// <summary>The host of each member.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>The end of the members that share a member's host.</summary>
    public int EndOf(int member) => _endOf[member];
}
