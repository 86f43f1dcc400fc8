namespace Troupe.Devices.Topology;

/// <summary>One worker of a world. Only a <see cref="World"/> makes one, so a rank that exists is a rank in range.</summary>
public readonly record struct RankId
{
    internal RankId(int value) => Value = value;

    /// <summary>Position in the world, from 0.</summary>
    public int Value { get; }

    /// <inheritdoc/>
    public override string ToString() => $"rank {Value}";
}

/// <summary>One agreed membership and layout; everything that crosses a wire carries it.</summary>
public readonly record struct Epoch(long Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"epoch {Value}";
}

/// <summary>One forward pass of one micro-batch through all stages. Steps are numbered from 1 within an epoch.</summary>
public readonly record struct StepId(long Value) : IComparable<StepId>
{
    /// <summary>The step after this one.</summary>
    public StepId Next => new(Value + 1);

    /// <inheritdoc/>
    public int CompareTo(StepId other) => Value.CompareTo(other.Value);

    public static bool operator <(StepId a, StepId b) => a.Value < b.Value;
    public static bool operator >(StepId a, StepId b) => a.Value > b.Value;
    public static bool operator <=(StepId a, StepId b) => a.Value <= b.Value;
    public static bool operator >=(StepId a, StepId b) => a.Value >= b.Value;

    /// <inheritdoc/>
    public override string ToString() => $"step {Value}";
}

/// <summary>A decoder layer, counted over the whole model from 0.</summary>
public readonly record struct LayerIndex(int Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"layer {Value}";
}

/// <summary>A routed expert of a layer, counted over the whole model from 0.</summary>
public readonly record struct ExpertId(int Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"expert {Value}";
}
