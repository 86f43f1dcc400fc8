using System.Collections.Immutable;
using Akka.Actor;

namespace Akka.Cluster;

/// <summary>What to do next on the way in.</summary>
internal abstract record JoinStep
{
    public sealed record Ask(ImmutableArray<Address> Seeds) : JoinStep;

    public sealed record Join(Address Contact) : JoinStep;

    public sealed record FormCluster : JoinStep;

    public sealed record Nothing : JoinStep;
}

/// <summary>
/// How a node finds its cluster, as a value. Only the first in its own list of seeds may form one: at once when it is the only one,
/// else when all others refuse, or none has accepted within the timeout. All else is asked again for ever.
/// </summary>
internal sealed record JoinProcess(Address Self, ImmutableArray<Address> Seeds, TimeSpan SeedNodeTimeout, TimeSpan? RetryAfter)
{
    /// <summary>Whom we asked to let us in; null while we ask who could.</summary>
    public Address Contact { get; init; }

    private ImmutableHashSet<Address> Refused { get; init; } = [];

    /// <summary>When the phase that we are in began.</summary>
    private TimeSpan Since { get; init; }

    private bool MayForm => Seeds.Length > 0 && Seeds[0] == Self;

    private ImmutableArray<Address> Others => Seeds.Remove(Self);

    /// <summary>Joins through this node alone; for a node of its own seeds list, none.</summary>
    public static JoinProcess Through(Address self, Address contact, TimeSpan now) =>
        new(self, [], TimeSpan.Zero, null) { Contact = contact, Since = now };

    public static JoinProcess WithSeeds(Address self, ImmutableArray<Address> seeds, TimeSpan seedNodeTimeout,
        TimeSpan? retryAfter, TimeSpan now) =>
        new(self, seeds, seedNodeTimeout, retryAfter) { Since = now };

    /// <summary>To be called at the start and at short intervals.</summary>
    public (JoinProcess, JoinStep) Tick(TimeSpan now)
    {
        if (Contact is not null && Seeds.Length > 0 && now - Since > RetryAfter)
            return (this with { Contact = null, Refused = [], Since = now }, new JoinStep.Ask(Others));
        if (Contact is not null) return (this, Contact == Self ? new JoinStep.FormCluster() : new JoinStep.Join(Contact));
        bool refused = Others.All(Refused.Contains);
        if (MayForm && (refused || now - Since >= SeedNodeTimeout)) return (this with { Contact = Self }, new JoinStep.FormCluster());
        return (this, new JoinStep.Ask(Others));
    }

    public (JoinProcess, JoinStep) Answered(Address seed, bool accepts, TimeSpan now)
    {
        if (Contact is not null || !Seeds.Contains(seed)) return (this, new JoinStep.Nothing());
        if (accepts) return (this with { Contact = seed, Since = now }, new JoinStep.Join(seed));
        var next = this with { Refused = Refused.Add(seed) };
        return MayForm && Others.All(next.Refused.Contains) ? next.Tick(now) : (next, new JoinStep.Nothing());
    }
}
