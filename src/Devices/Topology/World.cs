namespace Troupe.Devices.Topology;

/// <summary>How many stages, replicas and tensor ranks a world has.</summary>
public sealed record Layout(int Stages, int Replicas, int Tensor)
{
    /// <summary>The most ranks a world may have: a bound on every table that is sized by it.</summary>
    public const int MaxRanks = 1024;

    /// <summary>Ranks in the world: stages x replicas x tensor ranks.</summary>
    public int Ranks => Stages * Replicas * Tensor;

    /// <inheritdoc/>
    public override string ToString() => $"{Stages} stages x {Replicas} replicas x {Tensor} tensor ranks";

    /// <summary>What is wrong with these numbers, or null.</summary>
    public string? Problem() => (Stages, Replicas, Tensor) switch
    {
        ( < 1, _, _) => $"stages must be at least 1, got {Stages}",
        (_, < 1, _) => $"replicas must be at least 1, got {Replicas}",
        (_, _, < 1) => $"tensor ranks must be at least 1, got {Tensor}",
        _ when (long)Stages * Replicas * Tensor > MaxRanks =>
            $"{this} = {(long)Stages * Replicas * Tensor} ranks, more than the {MaxRanks} a world may have",
        _ => null,
    };
}

/// <summary>Where a rank stands in the layout.</summary>
public readonly record struct RankPlace(int Stage, int Replica, int Tensor);

/// <summary>
/// The ranks of a layout and the groups they form. Ranks count tensor first, then replica, then stage:
/// rank = (stage * replicas + replica) * tensor ranks + tensor rank.
/// </summary>
public sealed class World
{
    private readonly RankId[] _ranks;

    /// <summary>Makes the ranks of a layout.</summary>
    /// <exception cref="ArgumentException">A count is below 1 or the product too large.</exception>
    public World(Layout layout)
    {
        if (layout.Problem() is { } problem) throw new ArgumentException(problem, nameof(layout));
        Layout = layout;
        _ranks = [.. Enumerable.Range(0, layout.Ranks).Select(i => new RankId(i))];
    }

    /// <summary>The layout this world was made of.</summary>
    public Layout Layout { get; }

    /// <summary>All ranks in order.</summary>
    public IReadOnlyList<RankId> Ranks => _ranks;

    /// <summary>How many ranks there are.</summary>
    public int Size => _ranks.Length;

    /// <summary>The rank with this number.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such rank.</exception>
    public RankId Rank(int value) => (uint)value < (uint)_ranks.Length
        ? _ranks[value]
        : throw new ArgumentOutOfRangeException(nameof(value),
            $"rank must be in [0, {_ranks.Length}), got {value}; do --stages, --replicas and --tensor match the cluster?");

    /// <summary>The rank at a place.</summary>
    public RankId RankAt(int stage, int replica, int tensor = 0) => Rank((stage * Layout.Replicas + replica) * Layout.Tensor + tensor);

    /// <summary>The place of a rank.</summary>
    public RankPlace Place(RankId rank)
    {
        int tensor = rank.Value % Layout.Tensor, rest = rank.Value / Layout.Tensor;
        return new RankPlace(rest / Layout.Replicas, rest % Layout.Replicas, tensor);
    }

    /// <summary>All ranks of a stage in order: the expert-parallel group of its layers.</summary>
    public RankGroup Stage(int stage) =>
        new(this, [.. _ranks.Where(rank => Place(rank).Stage == stage)]);

    /// <summary>The tensor ranks of a replica's stage in order: those that share its layers.</summary>
    public RankGroup TensorRanks(int stage, int replica) =>
        new(this, [.. Enumerable.Range(0, Layout.Tensor).Select(tensor => RankAt(stage, replica, tensor))]);

    /// <summary>The ranks that a replica's rows pass, stage by stage, at one tensor index.</summary>
    public RankGroup Pipeline(int replica, int tensor = 0) =>
        new(this, [.. Enumerable.Range(0, Layout.Stages).Select(stage => RankAt(stage, replica, tensor))]);

    /// <summary>Every rank.</summary>
    public RankGroup All => new(this, _ranks);

    /// <summary>A group of one's own choice, in the order given.</summary>
    public RankGroup Group(params IEnumerable<int> ranks) => new(this, [.. ranks.Select(Rank)]);
}

/// <summary>Some ranks of a world in a fixed order. A member's position in the group is its index there.</summary>
public sealed class RankGroup
{
    internal RankGroup(World world, RankId[] members)
    {
        if (members.Length == 0) throw new ArgumentException("a group needs at least one rank", nameof(members));
        if (members.Distinct().Count() != members.Length) throw new ArgumentException("a rank stands twice in the group", nameof(members));
        (World, Members) = (world, members);
    }

    /// <summary>The world the ranks belong to.</summary>
    public World World { get; }

    /// <summary>The members in order.</summary>
    public IReadOnlyList<RankId> Members { get; }

    /// <summary>How many members.</summary>
    public int Size => Members.Count;

    /// <summary>The member at a position.</summary>
    public RankId this[int index] => Members[index];

    /// <summary>The position of a rank in this group.</summary>
    /// <exception cref="ArgumentException">The rank is not a member.</exception>
    public int IndexOf(RankId rank)
    {
        for (int i = 0; i < Members.Count; i++)
            if (Members[i] == rank) return i;
        throw new ArgumentException($"{rank} is not in the group [{string.Join(", ", Members.Select(m => m.Value))}]", nameof(rank));
    }
}
