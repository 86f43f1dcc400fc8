namespace Troupe.Cli.Tracing;

/// <summary>
/// The clocks of ranks as one. Nothing arrives before it was sent, so each message from a to b bounds how far b's clock is ahead of a's
/// from above: by its arrival on b's clock less its sending on a's. Pings to and from the control node are such messages, and so is each
/// notification that a peer waited for; the least bound of each pair counts, and bounds add up along ways over others (shortest ways, by
/// Floyd 1962). The offset is put in the middle between the bounds of both directions, as NTP does (RFC 5905, section 8), and half of what
/// is between them is how far it can be off. Clocks are taken to run equally fast while a trace lasts.
/// </summary>
internal sealed class Timeline
{
    private readonly double[] _tickUs, _offsets, _uncertainties;
    private readonly double[,] _ahead; // [a, b]: b's clock is ahead of a's by at most so many microseconds; the last is the control node

    /// <summary>Aligns the clocks of some ranks.</summary>
    public Timeline(IReadOnlyList<TracedRank> ranks, IReadOnlyList<Arrow> arrows)
    {
        int control = ranks.Count;
        _tickUs = [.. ranks.Select(r => r.TickUs)];
        _ahead = new double[control + 1, control + 1];
        for (int a = 0; a <= control; a++)
            for (int b = 0; b <= control; b++) _ahead[a, b] = a == b ? 0 : double.PositiveInfinity;
        for (int r = 0; r < control; r++) (_ahead[control, r], _ahead[r, control]) = (ranks[r].Clock.ThereUs, ranks[r].Clock.BackUs);
        foreach (Arrow arrow in arrows)
        {
            double bound = (arrow.Waited.End * _tickUs[arrow.Target]) - (arrow.Notified.Start * _tickUs[arrow.Source]);
            ref double known = ref _ahead[arrow.Source, arrow.Target];
            known = Math.Min(known, bound);
        }
        for (int via = 0; via <= control; via++)
            for (int a = 0; a <= control; a++)
                for (int b = 0; b <= control; b++) _ahead[a, b] = Math.Min(_ahead[a, b], _ahead[a, via] + _ahead[via, b]);
        // All against rank 0, whose peers are known best, so that no arrow points into the past; and rank 0 against the control node.
        double first = Middle(control, 0);
        _offsets = [.. Enumerable.Range(0, control).Select(r => first + Middle(0, r))];
        // The truth lies between the bounds of both directions, and the sum of two middles need not be their middle.
        _uncertainties = [.. Enumerable.Range(0, control).Select(r =>
            Math.Max(0, Math.Max(_ahead[control, r] - _offsets[r], _offsets[r] + _ahead[r, control])))];
    }

    /// <summary>Microseconds by which a rank's clock is ahead of the control node's.</summary>
    public double OffsetUs(int rank) => _offsets[rank];

    /// <summary>How far that can be off.</summary>
    public double UncertaintyUs(int rank) => _uncertainties[rank];

    /// <summary>How far times of two ranks can be off against each other.</summary>
    public double Between(int a, int b) => Math.Max(0, (_ahead[a, b] + _ahead[b, a]) / 2);

    /// <summary>A tick of a rank's clock as microseconds of the control node's.</summary>
    public double Us(int rank, long ticks) => (ticks * _tickUs[rank]) - _offsets[rank];

    private double Middle(int a, int b) => (_ahead[a, b] - _ahead[b, a]) / 2;
}
