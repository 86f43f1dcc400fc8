using System.Collections.Immutable;
using Troupe.Actors.Configuration;
using Troupe.Actors.Protocols;

namespace Troupe.Actors.Routing;

/// <summary>
/// Which planned steps send their rows to the experts in two halves, pure. Halves hide the time that rows travel, and cost twice the
/// headers and a second reading of the experts' weights; which of it weighs more depends on model, machine and fabric. So auto tries halves
/// in a few steps of each kind and size, and uses them where steps took clearly less time per row.
/// </summary>
public sealed record OverlapRule(OverlapMode Mode)
{
    /// <summary>
    /// Rows per rank, on average, from which a step is cut. With few rows for each expert, reading its weights is most of the work, and
    /// that is done twice: on one host 32 rows took up to 23 % longer in halves, 256 rows up to 19 %.
    /// </summary>
    public const int LeastRows = 32;

    /// <summary>Steps of each way, of a kind and size, before their times count.</summary>
    public const int Enough = 4;

    /// <summary>Halves that take less than this share of the time are used.</summary>
    public const double Clearly = 0.97;

    /// <summary>
    /// One step in so many tries the other way: at first, and once enough is known. 20 % slower tries cost 1.3 % and 0.3 %.
    /// </summary>
    public const int TryOften = 16, TryRarely = 64;

    private const int Window = 8;

    /// <summary>No step.</summary>
    public static OverlapRule Never { get; } = new(OverlapMode.Off);

    private ImmutableDictionary<ShapeBucket, Seen> Buckets { get; init; } = ImmutableDictionary<ShapeBucket, Seen>.Empty;

    /// <summary>Whether a step runs in halves, and the rule for the next one. <paramref name="ranks"/>: of the expert group.</summary>
    public (OverlapRule After, bool InHalves) Choose(ShapeBucket bucket, ImmutableArray<ReplicaShare> shares, int ranks)
    {
        if (Mode == OverlapMode.Off || ranks < 2 || shares.Sum(s => (long)s.Rows) < (long)LeastRows * ranks) return (this, false);
        if (Mode == OverlapMode.On) return (this, true);
        Seen seen = Buckets.GetValueOrDefault(bucket, Seen.Nothing);
        int every = seen.Halves.Length < Enough ? TryOften : TryRarely;
        bool tries = seen.Steps % every == every - 1;
        return (this with { Buckets = Buckets.SetItem(bucket, seen with { Steps = seen.Steps + 1 }) }, seen.FavoursHalves != tries);
    }

    /// <summary>Learns how long a step took.</summary>
    public OverlapRule Observe(Decision decision, double stepUs)
    {
        (ShapeBucket bucket, long rows) = (decision.Choice.Bucket, decision.Plan.Shares.Sum(s => (long)s.Rows));
        if (Mode != OverlapMode.Auto || !(stepUs > 0) || rows == 0 || !Buckets.TryGetValue(bucket, out Seen? seen)) return this;
        seen = decision.Plan.InHalves ? seen with { Halves = Add(seen.Halves) } : seen with { Whole = Add(seen.Whole) };
        return this with { Buckets = Buckets.SetItem(bucket, seen) };

        ImmutableArray<double> Add(ImmutableArray<double> times) =>
            (times.Length < Window ? times : times.RemoveAt(0)).Add(stepUs / rows);
    }

    /// <summary>The last times of steps that are alike, in microseconds per row, and how many there were.</summary>
    private sealed record Seen(long Steps, ImmutableArray<double> Whole, ImmutableArray<double> Halves)
    {
        public static Seen Nothing { get; } = new(0, [], []);

        public bool FavoursHalves => Whole.Length >= Enough && Halves.Length >= Enough && Median(Halves) < Clearly * Median(Whole);

        private static double Median(ImmutableArray<double> times) => times.Sort()[times.Length / 2];
    }
}
