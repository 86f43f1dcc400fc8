using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Pipeline;

/// <summary>
/// A rank's side of a lease, without a thread, a clock or a fabric: enters it after the planned steps that carried it, says which step
/// comes next, gathers why to leave, and ends it by the verdict. Stage 0 makes the verdict of a step from what all its ranks say; later
/// stages hear of it with the step's rows. All apply it from the next step on.
/// </summary>
public sealed class RankLease
{
    private LeaseGrant? _grant;
    private LeaseWalk? _walk;
    private bool _leave;

    /// <summary>Whether the next step is one of the lease.</summary>
    public bool IsOn => _walk is { Ended: false };

    /// <summary>The walk of the lease in force, or of the last one.</summary>
    public LeaseWalk? Walk => _walk;

    /// <summary>The first step of the lease that was granted last; 0 before any. Notes about an earlier one come too late.</summary>
    public StepId Id => _grant?.First ?? default;

    /// <summary>Whether this rank asks to leave with the next step.</summary>
    public bool Asks => _leave || _walk!.Due;

    /// <summary>A planned step is about to run.</summary>
    public void Begin(StepPlan plan)
    {
        if (IsOn) throw new InvalidOperationException($"{plan.Step} was planned while the lease from {Id} runs, which is at {_walk!.Step}");
        if (plan.Lease is not { } grant || grant.First == Id) return;
        (_grant, _walk, _leave) = (grant, null, false);
    }

    /// <summary>A planned step is over: the lease begins if it was the last before it.</summary>
    public void Finish(StepPlan plan)
    {
        if (_grant is { } grant && plan.Step.Next == grant.First) _walk = new LeaseWalk(grant);
    }

    /// <summary>
    /// A note came. It may be about the lease in force, or about one whose plans are still on their way to this rank: then it is to be
    /// given again once they are here.
    /// </summary>
    /// <returns>Null when the note is to be kept, else whether it counts: what is about a lease that has ended does not.</returns>
    public bool? On(LeaseNote note)
    {
        if (note.Step > Id) return null;
        if (note.Step < Id || _walk is { Ended: true }) return false;
        _leave |= note.Leave;
        return true;
    }

    /// <summary>A leased step is over.</summary>
    /// <returns>Whether it was the lease's last.</returns>
    public bool Finish(LeaseVerdict verdict)
    {
        _walk!.Finish(verdict);
        return _walk.Ended;
    }

    /// <summary>The same state, to be continued apart from this one.</summary>
    public RankLease Copy() => new() { _grant = _grant, _walk = _walk?.Copy(), _leave = _leave };
}
