using Troupe.Actors.Pipeline;
using Troupe.Actors.Protocols;

namespace Troupe.Actors.Ranks;

/// <summary>Notes about leases on their way from the rank's actor to its executor: the only part of a lease that threads share.</summary>
public sealed class LeaseNotes
{
    /// <summary>Notes that may wait. A scheduler sends one for each end of a request at most, and asks to leave once per lease.</summary>
    public const int Capacity = 4096;

    private readonly Lock _gate = new();
    private readonly List<LeaseNote> _notes = [];
    private volatile int _count;

    /// <summary>Leaves a note; for the rank's actor.</summary>
    /// <returns>False when too many wait already.</returns>
    public bool Add(LeaseNote note)
    {
        lock (_gate)
        {
            if (_notes.Count >= Capacity) return false;
            _notes.Add(note);
            _count = _notes.Count;
        }
        return true;
    }

    /// <summary>
    /// Applies the notes about the lease in force: slots end, and the lease hears who wants to leave. Notes that come too late are thrown
    /// away. For the executor; costs one read where there are none.
    /// </summary>
    public void Take(RankLease lease, SlotTable slots)
    {
        if (_count == 0) return;
        lock (_gate)
        {
            for (int i = 0; i < _notes.Count;)
            {
                bool? counts = lease.On(_notes[i]);
                if (counts is null)
                {
                    i++;
                    continue;
                }
                if (counts.Value)
                {
                    foreach (int slot in _notes[i].Ends)
                        if (slots.Holds(slot)) slots[slot].Ended = true;
                }
                _notes.RemoveAt(i);
            }
            _count = _notes.Count;
        }
    }
}
