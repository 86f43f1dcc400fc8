using Troupe.Devices.Topology;

namespace Troupe.Devices.Fabric.Faults;

/// <summary>
/// What goes wrong on one rank, as a list of rules: no clock, no chance, so that the same plan does the same thing again.
/// </summary>
public sealed class FaultPlan(params IReadOnlyList<FaultRule> rules)
{
    /// <summary>The rules. Several may fire at one call; of those that change where bytes go, the first in the list does.</summary>
    public IReadOnlyList<FaultRule> Rules { get; } = rules;

    /// <summary>
    /// Whether <see cref="IFabric.TryMap"/> denies the windows of peers, so that what is sent goes through Put, where rules can see it.
    /// Unless set: whenever a rule is about Puts.
    /// </summary>
    public bool HidesWindows { get; init; } = rules.Any(rule => rule.At.Operation == FaultOperation.Put);

    /// <summary>
    /// One or two rules drawn from a seed. They fire within the first <paramref name="operations"/> calls of their kind, if there are as
    /// many. <paramref name="pause"/>: the longest delay.
    /// </summary>
    public static FaultPlan Draw(int seed, World world, RankId self, int operations, TimeSpan pause)
    {
        var random = new Random(seed);
        return new FaultPlan([.. Enumerable.Range(0, random.Next(1, 3)).Select(_ => DrawRule(random, world, self, operations, pause))]);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join("; ", Rules);

    private static FaultRule DrawRule(Random random, World world, RankId self, int operations, TimeSpan pause)
    {
        var operation = (FaultOperation)random.Next((int)FaultOperation.Put, (int)FaultOperation.Wait + 1);
        Fault[] kinds =
        [
            new Fault.Delay(random.Next(1, 6)), new Fault.DelayFor(random.NextDouble() * pause), new Fault.Reorder(random.Next()),
            new Fault.Drop(), new Fault.Duplicate(), new Fault.Truncate(random.NextDouble()), new Fault.Kill(), new Fault.Hang(),
            new Fault.Slow(random.NextDouble() * pause / operations),
        ];
        Fault[] fitting = [.. kinds.Where(kind => kind.Fits(operation))];
        RankId[] others = [.. world.Ranks.Where(rank => rank != self)];
        RankId? peer = others.Length == 0 || random.Next(2) == 0 ? null : others[random.Next(others.Length)];
        var at = new FaultPoint(operation, random.Next(1, operations + 1)) { Peer = peer };
        return new FaultRule(at, fitting[random.Next(fitting.Length)]);
    }
}

/// <summary>One thing that goes wrong, once.</summary>
public sealed record FaultRule
{
    /// <summary>Makes a rule.</summary>
    /// <exception cref="ArgumentException">The fault makes no sense for the operation, as to drop a Wait.</exception>
    public FaultRule(FaultPoint at, Fault fault)
    {
        if (!fault.Fits(at.Operation)) throw new ArgumentException($"{fault} cannot happen to {at.Operation}: see Fault", nameof(fault));
        (At, Fault) = (at, fault);
    }

    /// <summary>When.</summary>
    public FaultPoint At { get; }

    /// <summary>What.</summary>
    public Fault Fault { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Fault} at {At}";
}

/// <summary>The calls that rules look at.</summary>
public enum FaultOperation
{
    /// <summary>Any of the others, and every <see cref="IFabric.SetStatus"/> too: a rank alone in its group makes no other calls.</summary>
    Any,
    Put,
    Notify,
    Wait,
}

/// <summary>A point in a rank's calls: the n-th, from 1, of those that the rest describes. Calls to oneself never count.</summary>
/// <param name="Operation">Which calls.</param>
/// <param name="Nth">Which of them.</param>
public sealed record FaultPoint(FaultOperation Operation, int Nth = 1)
{
    /// <summary>Only calls about this peer; null for any.</summary>
    public RankId? Peer { get; init; }

    /// <summary>Only in this step, as SetStatus told; null for any. So with the next two.</summary>
    public StepId? Step { get; init; }

    /// <summary>Only in this layer.</summary>
    public LayerIndex? Layer { get; init; }

    /// <summary>Only in this phase.</summary>
    public StepPhase? Phase { get; init; }

    internal bool Fits(FaultOperation operation, RankId? peer, StepPoint at) =>
        (Operation == operation || Operation == FaultOperation.Any)
        && (Peer is null || Peer == peer)
        && (Step is null || Step == at.Step) && (Layer is null || Layer == at.Layer) && (Phase is null || Phase == at.Phase);

    /// <inheritdoc/>
    public override string ToString() => $"{Operation} {Nth}{Shown(Peer)}{Shown(Step)}{Shown(Layer)}{Shown(Phase)}";

    private static string Shown<T>(T? value) => value is null ? "" : $", {value}";
}

/// <summary>The ways in which a call goes wrong.</summary>
public abstract record Fault
{
    private Fault()
    {
    }

    internal virtual bool Fits(FaultOperation operation) => operation is FaultOperation.Put or FaultOperation.Notify;

    /// <summary>
    /// Holds a Put or a Notify back until so many later calls were made, or until the rank would sleep, since then none comes. What is sent
    /// to the same peer afterwards waits behind it: order is kept.
    /// </summary>
    public sealed record Delay(int Operations) : Fault;

    /// <summary>As <see cref="Delay"/>, for a time on the fabric's clock. A Wait begins that much later.</summary>
    public sealed record DelayFor(TimeSpan Time) : Fault
    {
        internal override bool Fits(FaultOperation operation) => operation != FaultOperation.Any;
    }

    /// <summary>This Put and those that follow to the same peer land in an order of the seed's, before the next Notify to it.</summary>
    public sealed record Reorder(int Seed) : Fault
    {
        internal override bool Fits(FaultOperation operation) => operation == FaultOperation.Put;
    }

    /// <summary>
    /// A Put or a Notify is lost, and after a lost Put nothing more reaches that peer: a flag says that all Puts before it have landed, so
    /// a fabric that keeps its word cannot raise it any more. <paramref name="Silent"/>: it does not keep its word, later calls go through.
    /// </summary>
    public sealed record Drop(bool Silent = false) : Fault;

    /// <summary>A Put or a Notify is done twice.</summary>
    public sealed record Duplicate : Fault;

    /// <summary>Only the first part of a Put lands, a share from 0 to 1 of its bytes. Afterwards as with <see cref="Drop"/>.</summary>
    public sealed record Truncate(double Share, bool Silent = false) : Fault
    {
        internal override bool Fits(FaultOperation operation) => operation == FaultOperation.Put;
    }

    /// <summary>
    /// Some bits of one byte of a Put (counted modulo its length) arrive flipped: what no flag and no header can tell. By default the top
    /// bit of the mantissa of a row's first value of fp32, and enough to be seen in rows of every other type.
    /// </summary>
    public sealed record Corrupt(int Byte = 2, byte Bits = 0x40) : Fault
    {
        internal override bool Fits(FaultOperation operation) => operation == FaultOperation.Put;
    }

    /// <summary>From here on every call throws, and the fabric below is gone, as if the process had died.</summary>
    public sealed record Kill : Fault
    {
        internal override bool Fits(FaultOperation operation) => true;
    }

    /// <summary>
    /// The rank stops responding: this and every later call block until the epoch is aborted. After twice the wait deadline, when every
    /// peer has had its chance to notice, they throw.
    /// </summary>
    public sealed record Hang : Fault
    {
        internal override bool Fits(FaultOperation operation) => true;
    }

    /// <summary>From here on every Put, Notify, Wait and SetStatus costs so much more time.</summary>
    public sealed record Slow(TimeSpan Each) : Fault
    {
        internal override bool Fits(FaultOperation operation) => true;
    }
}
