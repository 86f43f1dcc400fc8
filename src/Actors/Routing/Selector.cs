using System.Collections.Immutable;
using Troupe.Devices.All2All;

namespace Troupe.Actors.Routing;

/// <summary>A choice and everything needed to explain it.</summary>
/// <param name="Strategy">The strategy to use.</param>
/// <param name="Reason">Why, in a sentence for people.</param>
/// <param name="PredictedUs">Microseconds predicted for every legal strategy.</param>
public sealed record Choice(string Strategy, string Reason, ImmutableSortedDictionary<string, double> PredictedUs);

/// <summary>
/// Picks a strategy for a step, pure: legality first, then the cheapest prediction; the one in use stays unless another is clearly cheaper.
/// </summary>
public static class Selector
{
    private static readonly string Fallback = Strategies.NameOf(Strategies.Fallback);

    /// <summary>
    /// A challenger must be predicted this much cheaper than the strategy in use, so that noise does not make the choice flap.
    /// </summary>
    public const double Hysteresis = 0.9;

    /// <summary>
    /// The strategy for a step. <paramref name="pinned"/> is what the user asked for, already resolved to one that exists; null for auto.
    /// </summary>
    public static Choice Choose(CostModel model, StepShape shape, string? pinned, string? inUse)
    {
        var predicted = Predict(model, shape);
        if (pinned is not null && predicted.ContainsKey(pinned)) return new Choice(pinned, $"pinned by --strategy {pinned}", predicted);
        if (shape.Ranks == 1) return new Choice(Fallback, "one rank in the expert group: nothing to exchange", predicted);
        string cheapest = predicted.MinBy(p => p.Value).Key;
        if (predicted.Count == 1) return new Choice(cheapest, "the only strategy that is legal here", predicted);
        if (inUse is not null && inUse != cheapest && predicted.TryGetValue(inUse, out double current)
            && predicted[cheapest] > current * Hysteresis)
        {
            return new Choice(inUse, $"in use, and {cheapest} is not predicted to be {1 - Hysteresis:P0} cheaper", predicted);
        }
        return new Choice(cheapest, $"cheapest of {predicted.Count} legal strategies", predicted);
    }

    private static ImmutableSortedDictionary<string, double> Predict(CostModel model, StepShape shape) =>
        ImmutableSortedDictionary<string, double>.Empty.Add(Fallback, model.AllGatherReduceScatter(shape));
}
