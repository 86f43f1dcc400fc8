namespace Troupe.Actors.Protocols;

/// <summary>What one kind of message has cost. Bytes are payload: without Akka.NET's envelope and frame.</summary>
public sealed record WireCount(string Manifest, long Sent, long SentBytes, long Received, long ReceivedBytes);

/// <summary>The counters at one moment, or between two.</summary>
/// <param name="ByManifest">One entry per kind of message, also those never sent; always in the same order.</param>
/// <param name="UnknownDropped">Came in under a manifest or version that this build does not speak.</param>
/// <param name="MalformedDropped">Came in as bytes that are no message, or out of bounds.</param>
/// <param name="Refused">Objects of no message's type, going out or coming in, stopped by <see cref="RefusingSerializer"/>.</param>
public sealed record WireSnapshot(IReadOnlyList<WireCount> ByManifest, long UnknownDropped, long MalformedDropped, long Refused)
{
    /// <summary>Messages made into bytes.</summary>
    public long Sent => ByManifest.Sum(c => c.Sent);

    /// <summary>Their bytes.</summary>
    public long SentBytes => ByManifest.Sum(c => c.SentBytes);

    /// <summary>Messages made from bytes.</summary>
    public long Received => ByManifest.Sum(c => c.Received);

    /// <summary>Their bytes.</summary>
    public long ReceivedBytes => ByManifest.Sum(c => c.ReceivedBytes);

    /// <summary>The counters of one kind of message.</summary>
    public WireCount Of<T>() where T : ProtocolMessage => ByManifest[ProtocolSerializer.FormOf(typeof(T))];

    /// <summary>Messages that were sent to get steps going: offers, batches, plans, and what is said about leases.</summary>
    public long StepMessagesSent =>
        Of<StepOffer>().Sent + Of<BatchDelta>().Sent + Of<StepPlan>().Sent + Of<LeaseNote>().Sent + Of<LeaseEnded>().Sent;

    /// <summary>What happened after <paramref name="earlier"/>.</summary>
    public WireSnapshot Since(WireSnapshot earlier) => new(
        [.. ByManifest.Zip(earlier.ByManifest, (now, then) => new WireCount(
            now.Manifest, now.Sent - then.Sent, now.SentBytes - then.SentBytes,
            now.Received - then.Received, now.ReceivedBytes - then.ReceivedBytes))],
        UnknownDropped - earlier.UnknownDropped, MalformedDropped - earlier.MalformedDropped, Refused - earlier.Refused);
}

/// <summary>
/// Counts messages and payload bytes by manifest. A fixed table of interlocked numbers: any thread may count, and the kinds are known
/// beforehand, so that nothing a peer sends can make it grow.
/// </summary>
public sealed class WireCounters
{
    private readonly Row[] _rows = new Row[WireForms.All.Count];
    private long _unknown, _malformed, _refused;

    /// <summary>The counters of this process: those of every serializer that Akka.NET makes.</summary>
    public static WireCounters Process { get; } = new();

    /// <summary>The counters now. Each number is exact; together they are not one moment while messages flow.</summary>
    public WireSnapshot Snapshot() => new(
        [.. WireForms.All.Select((form, i) => new WireCount(
            form.Manifest, Volatile.Read(ref _rows[i].Sent), Volatile.Read(ref _rows[i].SentBytes),
            Volatile.Read(ref _rows[i].Received), Volatile.Read(ref _rows[i].ReceivedBytes)))],
        Volatile.Read(ref _unknown), Volatile.Read(ref _malformed), Volatile.Read(ref _refused));

    internal void Sent(int form, int bytes)
    {
        Interlocked.Increment(ref _rows[form].Sent);
        Interlocked.Add(ref _rows[form].SentBytes, bytes);
    }

    internal void Received(int form, int bytes)
    {
        Interlocked.Increment(ref _rows[form].Received);
        Interlocked.Add(ref _rows[form].ReceivedBytes, bytes);
    }

    internal void DroppedUnknown() => Interlocked.Increment(ref _unknown);

    internal void DroppedMalformed() => Interlocked.Increment(ref _malformed);

    internal void RefusedObject() => Interlocked.Increment(ref _refused);

    private struct Row
    {
        public long Sent, SentBytes, Received, ReceivedBytes;
    }
}
