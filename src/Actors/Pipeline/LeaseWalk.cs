using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>What the ranks of stage 0 found in a leased step, the same on all of them; it travels to the later stages.</summary>
[Flags]
public enum LeaseVerdict
{
    /// <summary>The lease goes on.</summary>
    GoOn = 0,

    /// <summary>A rank of stage 0 leaves: this is the last leased step.</summary>
    Leave = 1,

    /// <summary>No replica brought a row: the lane has run dry, and is left out from here on.</summary>
    Idle = 2,
}

/// <summary>Makes verdicts.</summary>
public static class LeaseVerdicts
{
    /// <summary>The verdict on a step in which some rank asked to leave, or not, and some rank had rows, or not.</summary>
    public static LeaseVerdict Of(bool leave, bool rows) =>
        (leave ? LeaseVerdict.Leave : LeaseVerdict.GoOn) | (rows ? LeaseVerdict.GoOn : LeaseVerdict.Idle);
}

/// <summary>A step that a lease calls for. <paramref name="After"/> is the lane's step before it.</summary>
public readonly record struct LeasedStep(StepId Step, int Lane, StepId After);

/// <summary>
/// The order of a lease's steps: its lanes in turn, without those that have run dry. Every rank walks it by itself; they stay together
/// because they start from one grant and apply the same verdict after the same step. Deterministic, and allocates nothing but itself.
/// </summary>
public sealed class LeaseWalk
{
    private readonly StepId[] _lasts;
    private readonly bool[] _dry;
    private int _at;

    /// <summary>Starts with the grant's first step; the lanes' last steps are those whose plans carried the grant.</summary>
    public LeaseWalk(LeaseGrant grant)
    {
        (Grant, Step, _dry) = (grant, grant.First, new bool[grant.Lanes.Count]);
        _lasts = new StepId[grant.Lanes.Count];
        for (int i = 0; i < _lasts.Length; i++) _lasts[i] = new StepId(grant.First.Value - _lasts.Length + i);
    }

    private LeaseWalk(LeaseWalk from)
    {
        (Grant, Step, Ended, _at) = (from.Grant, from.Step, from.Ended, from._at);
        (_lasts, _dry) = ([.. from._lasts], [.. from._dry]);
    }

    /// <summary>What is walked.</summary>
    public LeaseGrant Grant { get; }

    /// <summary>The next step, or the one after the last.</summary>
    public StepId Step { get; private set; }

    /// <summary>Whether the last leased step is over.</summary>
    public bool Ended { get; private set; }

    /// <summary>Leased steps that are over.</summary>
    public long Done => Step.Value - Grant.First.Value;

    /// <summary>The last step of each of the grant's lanes.</summary>
    public IReadOnlyList<StepId> Lasts => _lasts;

    /// <summary>The last step of every lane of the world; 0 for one that the grant leaves out.</summary>
    public StepId[] LastsOf(int lanes)
    {
        var lasts = new StepId[lanes];
        for (int i = 0; i < _lasts.Length; i++) lasts[Grant.Lanes[i]] = _lasts[i];
        return lasts;
    }

    /// <summary>The next step.</summary>
    public LeasedStep Next => new(Step, Grant.Lanes[_at], _lasts[_at]);

    /// <summary>Whether the next step is the last that the grant allows: then every rank of stage 0 leaves.</summary>
    public bool Due => Done + 1 >= Grant.Steps;

    /// <summary>The next step is over, with this verdict.</summary>
    public void Finish(LeaseVerdict verdict)
    {
        if (Ended) throw new InvalidOperationException($"the lease from {Grant.First} has ended before {Step}");
        // No HasFlag: it allocates until it is compiled well.
        _lasts[_at] = Step;
        _dry[_at] = (verdict & LeaseVerdict.Idle) == LeaseVerdict.Idle;
        Step = Step.Next;
        Ended = (verdict & LeaseVerdict.Leave) == LeaseVerdict.Leave || !_dry.AsSpan().Contains(false);
        if (Ended) return;
        do _at = (_at + 1) % _dry.Length;
        while (_dry[_at]);
    }

    /// <summary>The same walk, to be continued apart from this one.</summary>
    public LeaseWalk Copy() => new(this);
}
