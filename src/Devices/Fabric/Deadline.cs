namespace Troupe.Devices.Fabric;

/// <summary>A point in time that a wait may not pass, on a clock that tests can turn.</summary>
internal readonly struct Deadline(TimeProvider clock, TimeSpan limit)
{
    private readonly long _start = clock.GetTimestamp();

    /// <summary>The time left, not below zero.</summary>
    public TimeSpan Left
    {
        get
        {
            var left = limit - clock.GetElapsedTime(_start);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    public bool Passed => Left == TimeSpan.Zero;

    /// <summary>The limit as a person reads it: <c>30 s</c>, <c>250 ms</c>.</summary>
    public override string ToString() => limit.TotalSeconds >= 1 ? $"{limit.TotalSeconds:0.#} s" : $"{limit.TotalMilliseconds:0.#} ms";
}
