using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>Window space in which the members of a group tell each other how long each layer's dispatch and combine took them.</summary>
internal sealed class ExchangeTimesPlan
{
    private const int Alignment = 128;
    private readonly Region _tables;
    private readonly int _members, _stride;

    private ExchangeTimesPlan(WindowPlan plan, int members, int layers)
    {
        (_members, Entries) = (members, 2 * layers);
        _stride = ((Entries * sizeof(float)) + Alignment - 1) / Alignment * Alignment;
        _tables = plan.Reserve(2L * members * _stride);
    }

    /// <summary>Times in a table: two for each layer.</summary>
    public int Entries { get; }

    /// <summary>Reserves for groups of this size, and stages of at most so many layers; every rank of the world does.</summary>
    public static ExchangeTimesPlan Reserve(WindowPlan plan, int members, int layers) => new(plan, members, layers);

    /// <summary>A member's table of even or of odd steps.</summary>
    public Region Table(int parity, int member) => _tables.Slice((((long)parity * _members) + member) * _stride, Entries * sizeof(float));
}

/// <summary>
/// How long the exchanges of a step took by themselves: what the router predicts, and so what it may learn from. Follows a step from point
/// to point.
/// <para><b>What is measured.</b> For each layer, and for its dispatch and its combine apart, the shortest time over the ranks of the
/// group; then the sum of these. The time of one rank is no measure: most of it is waiting for a peer that still computes attention or
/// experts. But whoever comes last to a phase waits for nobody's computing: its time is the exchange, with what the strategy itself makes
/// it wait for (the hop over a relay, bytes on a socket). Whoever came earlier was in it for longer. Who comes last changes from layer to
/// layer and from phase to phase, so the minimum is taken of each, not of sums.</para>
/// <para><b>Why not each rank by itself.</b> It could leave out the time in which it only waited. Then hops and transfers that it must
/// wait for would cost nothing, and a strategy that makes others work for it would look cheap.</para>
/// <para><b>Where ranks outnumber cores</b> the time of a rank also holds turns of others on its core, and those who wait are given fewer
/// turns. The shortest time is that of the rank that was disturbed least, and <see cref="Devices.All2All.Calibration"/> measures links
/// undisturbed as well: predicted and measured are of the same thing, and what disturbs all strategies alike stays out of both.</para>
/// <para><b>How.</b> At the end of a step each rank puts its table into the windows of the others, without a flag: the headers of the
/// stage's next step follow in order, and each rank hears them all. So a step's times are known at the end of the next one, the same on
/// all ranks, for one small Put to each peer a step and no message. Two tables take turns: a rank writes one again at the end of a step
/// in which it heard a combine of its reader, who had read that table before.</para>
/// </summary>
internal sealed class ExchangeTimes
{
    private readonly IFabric _fabric;
    private readonly RankGroup _group;
    private readonly ExchangeTimesPlan? _plan;
    private readonly double _tickUs;
    private readonly int _self, _firstLayer;
    private readonly float[][] _own = []; // by parity: microseconds of each layer's dispatch and combine; pinned, for the fabric
    private StepPoint _at;
    private StepId _last;
    private long _since, _steps;

    /// <summary>
    /// Follows the steps of a rank of a group, whose layers count from <paramref name="first"/>. Without a plan nothing is measured: in a
    /// group of one, and where no dispatch follows that would say that a table is there.
    /// </summary>
    public ExchangeTimes(IFabric fabric, RankGroup group, ExchangeTimesPlan? plan, LayerIndex first, long ticksPerSecond)
    {
        (_fabric, _group, _plan, _firstLayer) = (fabric, group, plan, first.Value);
        (_self, _tickUs) = (group.IndexOf(fabric.Self), 1e6 / ticksPerSecond);
        if (plan is null) return;
        _own = [GC.AllocateArray<float>(plan.Entries, pinned: true), GC.AllocateArray<float>(plan.Entries, pinned: true)];
    }

    private int Parity => (int)(_steps & 1);

    /// <summary>Whether anything is measured.</summary>
    public bool IsOn => _plan is not null;

    /// <summary>The step enters a point at this tick.</summary>
    public void At(StepPoint point, long now)
    {
        if (_plan is null) return;
        if (_at.Phase is StepPhase.Dispatch or StepPhase.Combine)
        {
            int entry = (2 * (_at.Layer.Value - _firstLayer)) + (_at.Phase == StepPhase.Combine ? 1 : 0);
            _own[Parity][entry] += (float)((now - _since) * _tickUs);
        }
        (_at, _since) = (point, now);
    }

    /// <summary>The step is over on this rank. The times of a <paramref name="shadowed"/> one, which exchanged twice, say nothing.
    /// </summary>
    /// <returns>The step before it on this stage, and the microseconds that its exchanges took by themselves; step 0 of none.</returns>
    public (StepId Step, double Us) End(StepId step, bool shadowed = false)
    {
        if (_plan is null) return default;
        int parity = Parity;
        for (int i = 1; i < _group.Size; i++)
        {
            int member = (_self + i) % _group.Size;
            _fabric.Put(_group[member], _plan.Table(parity, _self), MemoryMarshal.AsBytes(_own[parity].AsSpan()));
        }
        (StepId, double) known = _last.Value == 0 ? default : (_last, Shortest(1 - parity));
        _last = shadowed ? default : step;
        _steps++;
        Array.Clear(_own[Parity]); // peers were notified since it was put
        return known;
    }

    private double Shortest(int parity)
    {
        double sum = 0;
        for (int entry = 0; entry < _plan!.Entries; entry++)
        {
            float least = _own[parity][entry];
            for (int member = 0; member < _group.Size; member++)
            {
                if (member == _self) continue;
                least = Math.Min(least, MemoryMarshal.Cast<byte, float>(_fabric.Local(_plan.Table(parity, member)))[entry]);
            }
            sum += least;
        }
        return sum;
    }
}
