namespace Troupe.Actors.Scheduling;

/// <summary>
/// Notices a step whose plan or result never came, and a lease that nobody leaves. Waits inside a step have their deadline on the fabric;
/// this one is for what lies between.
/// </summary>
internal sealed class StepClock(TimeProvider clock, TimeSpan deadline, int lanes)
{
    private readonly long[] _since = new long[lanes];
    private long _leaveAsked;

    /// <summary>A lane has a step before it from now on, or has none.</summary>
    public void Lane(int lane, bool waits) => _since[lane] = waits ? clock.GetTimestamp() : 0;

    /// <summary>The ranks were asked to leave their lease now, or have left it.</summary>
    public void Lease(bool waits) => _leaveAsked = waits ? clock.GetTimestamp() : 0;

    /// <summary>What has taken too long, for people; null if nothing has.</summary>
    public string? Late()
    {
        int lane = Array.FindIndex(_since, IsLate);
        string? what = lane >= 0 ? $"lane {lane} had a step before it, and no result came"
            : IsLate(_leaveAsked) ? "stage 0 was asked to leave its lease, and the lease has not ended" : null;
        return what is null ? null : $"{what} in {deadline.TotalSeconds:0} s: was the router or a rank lost?";
    }

    private bool IsLate(long since) => since > 0 && clock.GetElapsedTime(since) > deadline;
}
