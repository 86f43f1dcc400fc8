using System.Collections.Immutable;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Routing;

/// <summary>
/// Picks the strategy of each step, pure: what is legal, then what is predicted to be cheapest; the one in use stays unless another is
/// clearly cheaper. Prefill and decode each have a strategy in use. Whatever it is given, it picks one: the fallback is always legal.
/// </summary>
public sealed record Selector
{
    /// <summary>A challenger this much cheaper takes over after <see cref="Patience"/> steps in a row, so that noise does not flip the
    /// choice.</summary>
    public const double Clearly = 0.9;

    /// <summary>A challenger this much cheaper takes over at once: a step of another size should not wait.</summary>
    public const double Far = 0.75;

    /// <summary>Steps of a kind in a row that one challenger must be clearly cheaper in.</summary>
    public const int Patience = 3;

    /// <summary>Nothing is tried that is predicted to take more than this many times the cheapest.</summary>
    public const double DearestTried = 4;

    /// <summary>As <see cref="DearestTried"/>, for a strategy that was measured often enough on such steps to trust its prediction.
    /// </summary>
    public const double DearestKnown = 1.5;

    private readonly Resolution? _pin;

    /// <summary>A selector at the start of an epoch.</summary>
    public Selector(CostModel model, SelectorRules rules) =>
        (Model, Rules, _pin) = (model, rules, rules.Pinned is { } name ? Resolve(name) : null);

    /// <summary>What steps are predicted to cost, before corrections.</summary>
    public CostModel Model { get; init; }

    /// <summary>What limits the choice.</summary>
    public SelectorRules Rules { get; }

    /// <summary>What was learned from steps.</summary>
    public Corrections Corrections { get; private init; } = Corrections.None;

    /// <summary>What is not to be used any more in this epoch, each with why.</summary>
    public ImmutableSortedDictionary<Strategy, string> OutOfUse { get; private init; } = ImmutableSortedDictionary<Strategy, string>.Empty;

    private ImmutableArray<InUse> Kinds { get; init; } = [default, default]; // by StepKind

    /// <summary>The last step of a strategy in a bucket.</summary>
    private ImmutableDictionary<(Strategy, ShapeBucket), long> LastStep { get; init; } =
        ImmutableDictionary<(Strategy, ShapeBucket), long>.Empty;

    private bool Warned { get; init; }

    /// <summary>The strategy of a step, and the selector for the next one.</summary>
    public (Selector After, Choice Choice) Choose(StepId step, StepKind kind, StepShape shape) =>
        Choose(step, kind, Model.PredictAll(shape));

    /// <summary>As the other, with what <see cref="Model"/> predicts for the step's shape.</summary>
    public (Selector After, Choice Choice) Choose(StepId step, StepKind kind, Forecast forecast)
    {
        StepShape shape = forecast.Shape;
        ShapeBucket bucket = ShapeBucket.Of(kind, shape);
        ImmutableArray<Outlook> outlooks = [.. StrategyTable.All.Select(s =>
            new Outlook(s, forecast.Of(s) * Corrections.Factor(s, bucket), WhyNot(s, shape)))];
        (Selector after, Choice choice) = _pin is { } pin ? Pinned(pin, outlooks)
            : shape.Ranks < 2 ? (this, new Choice(Strategies.Fallback, "one rank in the expert group: nothing to exchange", outlooks))
            : Cheapest(step, bucket, outlooks);
        return (after with { LastStep = after.LastStep.SetItem((choice.Use, bucket), step.Value) },
            choice with { Bucket = bucket, ModelUs = forecast.Of(choice.Use) });
    }

    /// <summary>Learns how a step went: microseconds of its dispatches and combines.</summary>
    public Selector Observe(Choice choice, double measuredUs) =>
        this with { Corrections = Corrections.Observe(choice.Use, choice.Bucket, choice.ModelUs, measuredUs) };

    /// <summary>
    /// Takes a strategy out of use for the rest of the epoch; not the fallback, which is always there. Whoever does so warns the user.
    /// </summary>
    public Selector TakeOut(Strategy strategy, string why) => strategy == Strategies.Fallback ? this
        : this with { OutOfUse = OutOfUse.SetItem(strategy, why), Warned = Warned || _pin?.Use == strategy };

    private string? WhyNot(Strategy strategy, StepShape shape) =>
        OutOfUse.TryGetValue(strategy, out string? why) ? $"out of use: {why}" : Legality.WhyNot(strategy, shape, Rules);

    /// <summary>What a user's name stands for. A strategy that the build lacks stays itself here: legality says why it is not used.
    /// </summary>
    private static Resolution Resolve(string name)
    {
        foreach (Strategy strategy in StrategyTable.All)
            if (StrategyTable.Name(strategy) == name) return new Resolution(strategy, null);
        return Strategies.Resolve(name);
    }

    private (Selector, Choice) Pinned(Resolution pin, ImmutableArray<Outlook> outlooks)
    {
        string fallback = StrategyTable.Name(Strategies.Fallback);
        string? illegal = outlooks[(int)pin.Use - 1].Illegal;
        string? warning = pin.Warning
            ?? (illegal is null ? null : $"strategy '{Rules.Pinned}' was asked for, {fallback} is used where it cannot be: {illegal}");
        var choice = illegal is null
            ? new Choice(pin.Use, pin.Warning ?? $"pinned by --strategy {Rules.Pinned}", outlooks)
            : new Choice(Strategies.Fallback, $"{StrategyTable.Name(pin.Use)} is pinned but illegal: {illegal}", outlooks);
        return warning is null || Warned ? (this, choice) : (this with { Warned = true }, choice with { Warning = warning });
    }

    private (Selector, Choice) Cheapest(StepId step, ShapeBucket bucket, ImmutableArray<Outlook> outlooks)
    {
        Outlook[] legal = [.. outlooks.Where(o => o.Illegal is null).OrderBy(Cost)];
        (InUse now, string reason) = Settle(Kinds[(int)bucket.Kind], legal);
        Selector after = this with { Kinds = Kinds.SetItem((int)bucket.Kind, now) };
        if (!Explores(step, out bool second) || Tried(legal, now.Strategy, bucket, second) is not { } other)
            return (after, new Choice(now.Strategy, reason, outlooks));
        string why = $"explores the {(second ? "second best" : "least recently tried")} instead of {StrategyTable.Name(now.Strategy)}";
        return (after, new Choice(other, why, outlooks) { Explored = true });
    }

    /// <summary>What is in use after looking at the legal strategies, cheapest first, and why.</summary>
    private static (InUse, string) Settle(InUse before, Outlook[] legal)
    {
        Outlook best = legal[0];
        if (legal.Length == 1) return (new InUse(best.Strategy, default, 0), "the only strategy that is legal here");
        int at = Array.FindIndex(legal, o => o.Strategy == before.Strategy);
        if (at < 0) return (new InUse(best.Strategy, default, 0), $"cheapest of {legal.Length} legal strategies");
        if (at == 0) return (new InUse(best.Strategy, default, 0), $"in use, and cheapest of {legal.Length} legal strategies");
        double ratio = Cost(best) / Cost(legal[at]);
        string name = StrategyTable.Name(best.Strategy);
        if (ratio <= Far) return (new InUse(best.Strategy, default, 0), $"cheapest of {legal.Length} legal strategies, by far");
        if (!(ratio <= Clearly)) return (before with { Streak = 0 }, $"in use, and {name} is not predicted {1 - Clearly:P0} cheaper");
        int streak = before.Challenger == best.Strategy ? before.Streak + 1 : 1;
        return streak >= Patience
            ? (new InUse(best.Strategy, default, 0), $"cheapest of {legal.Length} legal strategies, {Patience} steps in a row")
            : (new InUse(before.Strategy, best.Strategy, streak), $"in use; {name} is predicted cheaper, step {streak} of {Patience}");
    }

    private bool Explores(StepId step, out bool second)
    {
        ulong drawn = Mix(Rules.Seed ^ Mix((ulong)step.Value));
        second = (drawn & 1) == 0;
        double share = double.IsNaN(Rules.Explore) ? 0 : Math.Clamp(Rules.Explore, 0, SelectorRules.MostExplored);
        return (drawn >> 11) * (1.0 / (1UL << 53)) < share;
    }

    /// <summary>Another legal strategy to try: the second best, or the one whose last step in this bucket is longest ago.</summary>
    private Strategy? Tried(Outlook[] legal, Strategy picked, ShapeBucket bucket, bool second)
    {
        Outlook[] others = [.. legal.Where(o => o.Strategy != picked && Cost(o) <= Cost(legal[0])
            * (Corrections.Steps(o.Strategy, bucket) == Corrections.Window ? DearestKnown : DearestTried))];
        if (others.Length == 0) return null;
        return second ? others[0].Strategy : others.MinBy(o => LastStep.GetValueOrDefault((o.Strategy, bucket))).Strategy;
    }

    /// <summary>A prediction that is no number is no reason to pick a strategy.</summary>
    private static double Cost(Outlook outlook) => double.IsNaN(outlook.PredictedUs) ? double.PositiveInfinity : outlook.PredictedUs;

    /// <summary>SplitMix64's output for a state.</summary>
    private static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    /// <summary>The strategy of a kind of step, and who has been clearly cheaper for how many steps. Strategy 0: none yet.</summary>
    private readonly record struct InUse(Strategy Strategy, Strategy Challenger, int Streak);
}
