using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>
/// What every rank says first in every dispatch and every combine: all but the count of rows must be equal in the group. This is how ranks
/// that skip all other agreement notice that they do not do the same.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct StepHeader
{
    public long Epoch;
    public long Step;
    public int Layer;
    public int Phase;
    public int Strategy;
    public int Capacity;
    public int Hidden;
    public int TopK;
    public int RowType;
    public int Rows;

    public static StepHeader Of(StepPoint at, StepPhase phase, Strategy strategy, All2AllShape shape, int rows) => new()
    {
        Epoch = at.Epoch.Value,
        Step = at.Step.Value,
        Layer = at.Layer.Value,
        Phase = (int)phase,
        Strategy = (int)strategy,
        Capacity = shape.MaxTokens,
        Hidden = shape.Hidden,
        TopK = shape.TopK,
        RowType = (int)shape.Rows,
        Rows = rows,
    };

    /// <summary>Whether the peer does the same thing as this rank.</summary>
    public readonly bool Agrees(in StepHeader theirs) =>
        Epoch == theirs.Epoch && Step == theirs.Step && Layer == theirs.Layer && Phase == theirs.Phase && Strategy == theirs.Strategy
        && Capacity == theirs.Capacity && Hidden == theirs.Hidden && TopK == theirs.TopK && RowType == theirs.RowType
        && (uint)theirs.Rows <= (uint)Capacity;

    /// <inheritdoc/>
    public override readonly string ToString() =>
        $"[{new StepPoint(new Epoch(Epoch), new StepId(Step), new LayerIndex(Layer), (StepPhase)Phase)}, "
        + $"{(Enum.IsDefined((Strategy)Strategy) ? Strategies.NameOf((Strategy)Strategy) : $"strategy {Strategy}")}, capacity {Capacity}, "
        + $"hidden {Hidden}, top-k {TopK}, {(RowType)RowType} rows, {Rows} rows]";
}
