namespace Troupe.Actors.Planning;

/// <summary>
/// How long equal micro-batches take through stages of unequal length, pure, and the share of that time in which stages wait (the bubble).
/// Sends cost nothing here: they are counted as part of a stage where they matter.
/// </summary>
public static class PipelineTime
{
    /// <summary>
    /// From the first micro-batch's start to the last one's end: the first passes all stages, and from then on one leaves for each turn
    /// of the slowest stage.
    /// </summary>
    /// <param name="stages">How long each stage takes for a micro-batch; at least one stage.</param>
    /// <param name="microBatches">At least 1.</param>
    public static double Makespan(IReadOnlyList<double> stages, int microBatches) => stages.Sum() + ((microBatches - 1) * stages.Max());

    /// <summary>The bubble of a run of micro-batches.</summary>
    public static double Bubble(IReadOnlyList<double> stages, int microBatches) =>
        Waits(microBatches * stages.Sum(), stages.Count * Makespan(stages, microBatches));

    /// <summary>The same where stages are equal: (S - 1) / (M + S - 1).</summary>
    public static double IdealBubble(int stages, int microBatches) => (stages - 1.0) / (microBatches + stages - 1);

    /// <summary>Time between two steps of steady decode with some micro-batches in flight, each of which starts again once its token is
    /// back.</summary>
    public static double Period(IReadOnlyList<double> stages, int microBatches) => Math.Max(stages.Max(), stages.Sum() / microBatches);

    /// <summary>The bubble of steady decode.</summary>
    public static double DecodeBubble(IReadOnlyList<double> stages, int microBatches) =>
        Waits(stages.Sum(), stages.Count * Period(stages, microBatches));

    private static double Waits(double busy, double all) => all > 0 ? Math.Max(0, 1 - (busy / all)) : 0;
}
