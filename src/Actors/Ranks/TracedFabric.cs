using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;
using Troupe.Model.Layers;

namespace Troupe.Actors.Ranks;

/// <summary>
/// A fabric whose waits and notifications are traced, over any other fabric, which it owns. A wait says whom it was for; together with the
/// flag's value that it saw, which its peer's notification has too, it says whose sending ended it. Outside of steps it only passes on.
/// </summary>
internal sealed class TracedFabric(IFabric inner, StepTrace trace, TimeProvider clock) : IFabric
{
    /// <inheritdoc/>
    public string Name => inner.Name;

    /// <inheritdoc/>
    public World World => inner.World;

    /// <inheritdoc/>
    public RankId Self => inner.Self;

    /// <inheritdoc/>
    public long BytesSent => inner.BytesSent;

    /// <inheritdoc/>
    public Span<byte> Local(Region region) => inner.Local(region);

    /// <inheritdoc/>
    public void Put(RankId peer, Region region, ReadOnlySpan<byte> source) => inner.Put(peer, region, source);

    /// <inheritdoc/>
    public void Notify(RankId peer, int flag, ulong value)
    {
        if (!trace.IsOpen)
        {
            inner.Notify(peer, flag, value);
            return;
        }
        long start = clock.GetTimestamp();
        inner.Notify(peer, flag, value);
        trace.Within(StepActivity.Notify, peer, flag, value, start, clock.GetTimestamp());
    }

    /// <inheritdoc/>
    public ulong Wait(RankId peer, int flag, ulong value)
    {
        if (!trace.IsOpen) return inner.Wait(peer, flag, value);
        long start = clock.GetTimestamp();
        ulong seen = inner.Wait(peer, flag, value);
        trace.Within(StepActivity.Wait, peer, flag, seen, start, clock.GetTimestamp());
        return seen;
    }

    /// <inheritdoc/>
    public ulong Peek(RankId peer, int flag) => inner.Peek(peer, flag);

    /// <inheritdoc/>
    public bool TryMap(RankId peer, Region region, out Span<byte> mapped) => inner.TryMap(peer, region, out mapped);

    /// <inheritdoc/>
    public void SetStatus(StepPoint point) => inner.SetStatus(point);

    /// <inheritdoc/>
    public StepPoint StatusOf(RankId peer) => inner.StatusOf(peer);

    /// <inheritdoc/>
    public void Abort(RankId? culprit, string reason) => inner.Abort(culprit, reason);

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();
}
