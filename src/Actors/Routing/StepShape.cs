using System.Collections.Immutable;
using System.Numerics;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;

namespace Troupe.Actors.Routing;

/// <summary>Which peers' windows a rank can address directly.</summary>
public enum Mapping
{
    /// <summary>None: all peers are behind sockets.</summary>
    Nobody,

    /// <summary>Those of the same host.</summary>
    SameHost,

    /// <summary>All.</summary>
    Everybody,
}

/// <summary>The shape of one step as a strategy sees it: rows per member of the expert group, and the sizes of the model.</summary>
/// <param name="Ranks">Members of the group (R).</param>
/// <param name="Rows">Rows that all members bring together.</param>
/// <param name="MaxRows">Rows of the member that brings most.</param>
/// <param name="Hidden">Values in a row (H).</param>
/// <param name="TopK">Experts per token (K).</param>
/// <param name="BytesPerValue">Bytes of a value of a row on the wire.</param>
/// <param name="MoeLayers">Dispatches, and combines, in the step.</param>
public sealed record StepShape(int Ranks, int Rows, int MaxRows, int Hidden, int TopK, int BytesPerValue, int MoeLayers)
{
    /// <summary>Experts in a layer (E); 0 where unknown: then every token is taken to need every rank.</summary>
    public int Experts { get; init; }

    /// <summary>Bytes of a value of a partial sum on the wire; int8 and fp8 rows come back as bf16.</summary>
    public int BytesPerSum { get; init; } = BytesPerValue;

    /// <summary>Rows by member. Where it is empty, one member brings <see cref="MaxRows"/> and the others share the rest.</summary>
    public ImmutableArray<int> RowsOf { get; init; } = [];

    /// <summary>The host of each member, numbered from 0 in any order. Empty: all on one.</summary>
    public ImmutableArray<int> HostOf { get; init; } = [];

    /// <summary>Which windows are mapped.</summary>
    public Mapping Mapping { get; init; } = Mapping.Everybody;

    /// <summary>How many hosts the members are on.</summary>
    public int Hosts => HostOf.IsDefaultOrEmpty ? 1 : HostOf.Take(Ranks).Distinct().Count();

    /// <summary>Whether the group of some stage has all its members on one host, though not that of every stage.</summary>
    public bool SomeStageOnOneHost { get; init; }

    /// <summary>Bytes of a row's values on the wire: H values (Hb).</summary>
    public double RowBytes => (double)Hidden * BytesPerValue;

    /// <summary>Bytes of a partial sum's values on the wire: H values (Hc).</summary>
    public double SumBytes => (double)Hidden * BytesPerSum;

    /// <summary>
    /// The shape over a fabric, with the hosts of each stage's members by name. A step has one strategy for all stages: it is the stage on
    /// most hosts that speaks for all, since what is legal there is legal elsewhere; but for what needs several hosts.
    /// </summary>
    public StepShape On(string fabric, IReadOnlyList<IReadOnlyList<string>> hosts)
    {
        static int Count(IEnumerable<string> names) => names.Distinct(StringComparer.Ordinal).Count();
        IReadOnlyList<string> widest = hosts.MaxBy(Count)!;
        List<string> names = [.. widest.Distinct(StringComparer.Ordinal)];
        return this with
        {
            HostOf = [.. widest.Select(name => names.IndexOf(name))],
            SomeStageOnOneHost = names.Count > 1 && hosts.Any(stage => Count(stage) == 1),
            Mapping = Mapping == Mapping.Nobody || fabric == Fabrics.NameOf(FabricKind.Tcp) ? Mapping.Nobody
                : fabric == Fabrics.NameOf(FabricKind.Mixed) ? Mapping.SameHost : Mapping.Everybody,
        };
    }

    /// <summary>The shape with these rows by member.</summary>
    public StepShape WithRows(ImmutableArray<int> rowsOf) =>
        this with
        {
            RowsOf = rowsOf, Rows = (int)Math.Min(int.MaxValue, rowsOf.Sum(r => (long)r)), MaxRows = rowsOf.DefaultIfEmpty().Max(),
        };

    /// <summary>The shape with these rows by replica; the tensor ranks of a replica, which follow each other, share its rows.</summary>
    public StepShape WithReplicas(ImmutableArray<int> rows)
    {
        int tensor = rows.IsEmpty ? 1 : Math.Max(1, Ranks / rows.Length);
        return WithRows([.. rows.SelectMany(r => Enumerable.Range(0, tensor).Select(t => (r + t) / tensor))]);
    }

    /// <summary>Rows of a member.</summary>
    public int RowsAt(int member)
    {
        if (!RowsOf.IsDefaultOrEmpty) return member < RowsOf.Length ? RowsOf[member] : 0;
        if (member == 0 || Ranks < 2) return MaxRows;
        int rest = Math.Max(0, Rows - MaxRows), others = Ranks - 1;
        return (rest / others) + (member <= rest % others ? 1 : 0);
    }

    /// <summary>The host of a member.</summary>
    public int HostAt(int member) => HostOf.IsDefaultOrEmpty || member >= HostOf.Length ? 0 : HostOf[member];

    /// <summary>How one member reaches another.</summary>
    public LinkClass LinkBetween(int member, int other) => member == other ? LinkClass.Self
        : Mapping == Mapping.Everybody || (Mapping == Mapping.SameHost && HostAt(member) == HostAt(other)) ? LinkClass.Mapped
        : LinkClass.Tcp;

    /// <summary>
    /// The share of tokens that choose at least one expert of a member that holds a share of <paramref name="members"/> / R of all experts:
    /// 1 - C(E-m, K) / C(E, K) with m its experts, the D / R of DESIGN section 5. m need not be whole.
    /// </summary>
    public double HitShare(double members = 1)
    {
        if (Experts <= 0 || Ranks <= 0) return 1;
        double held = Math.Min(Experts, Experts * members / Ranks), miss = 1;
        for (int k = 0; k < Math.Min(TopK, Experts); k++) miss *= Math.Max(0, Experts - held - k) / (Experts - k);
        return 1 - miss;
    }
}

/// <summary>
/// Steps that are alike enough to learn from each other: of one kind, within a factor of two in rows, and alike in balance (one-sided: one
/// member brings more than half as much again as the mean).
/// </summary>
public readonly record struct ShapeBucket(StepKind Kind, int LogRows, bool OneSided)
{
    private const int LargestLog = 20;

    /// <summary>The bucket of a step.</summary>
    public static ShapeBucket Of(StepKind kind, StepShape shape) => new(
        kind == StepKind.Prefill ? StepKind.Prefill : StepKind.Decode,
        Math.Min(LargestLog, BitOperations.Log2((uint)Math.Max(0, shape.Rows) + 1)),
        shape.Ranks > 1 && 2L * shape.MaxRows * shape.Ranks > 3L * shape.Rows);

    /// <inheritdoc/>
    public override string ToString() =>
        $"{(Kind == StepKind.Prefill ? "prefill" : "decode")} of {(1 << LogRows) - 1} to {(2 << LogRows) - 2} rows"
        + (OneSided ? ", one-sided" : "");
}
