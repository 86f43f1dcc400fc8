using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Measures;

/// <summary>
/// The cluster's router at work in the benchmark, on the first rank: the same selector, with the cost model that the ranks calibrated on
/// this fabric, corrected by each step's time. Before calibration, in the warm-up, it has the model's guesses. It knows nothing of what the
/// benchmark measures of single strategies. Cases that a real cluster would not mix (other sizes, rows or routing) have routers of their
/// own.
/// </summary>
internal sealed class All2AllRouter(All2AllWork work)
{
    /// <summary>The share of its steps that try another strategy than the one it would use.</summary>
    public const double Explore = SelectorRules.MostExplored;

    private readonly Dictionary<All2AllCase, Selector> _selectors = [];
    private CostModel _model = CostModel.Guess;
    private All2AllCase _case = work.Cases[0];
    private Strategy[] _strategies = [];
    private StepShape _shape = null!;
    private Choice? _choice, _before;
    private Strategy _pick;
    private long _step;

    /// <summary>From now on with what the ranks measured, and nothing learned.</summary>
    public void Calibrated(IReadOnlyCollection<LinkCalibration> measured)
    {
        _model = CostModel.From(measured, Environment.ProcessorCount);
        _selectors.Clear();
    }

    /// <summary>Begins a turn.</summary>
    /// <param name="shape">The case.</param>
    /// <param name="strategies">What it may use: those that are measured.</param>
    public void Begin(All2AllCase shape, Strategy[] strategies)
    {
        (_case, _strategies, _choice, _before) = (shape, strategies, null, null);
        _shape = new StepShape(work.Ranks, 0, 0, shape.Hidden, shape.TopK, shape.Rows.RowBytes(shape.Hidden) / shape.Hidden, MoeLayers: 1)
        {
            Experts = shape.Experts, BytesPerSum = shape.Rows.Partial().RowBytes(shape.Hidden) / shape.Hidden,
        }.On(Fabrics.NameOf(work.Fabric), [work.HostNames]).WithRows([.. Enumerable.Range(0, work.Ranks).Select(shape.TokensOf)]);
    }

    /// <summary>The strategy of the next step, by its place among those of the turn.</summary>
    public int Choose()
    {
        (Selector after, Choice choice) = Selector.Choose(new StepId(++_step), StepKind.Decode, _shape);
        (Selector, _before, _choice) = (after, _choice, choice);
        int place = Array.IndexOf(_strategies, choice.Use);
        // The fallback is always legal for a router, even where it is not to be measured.
        if (place < 0) place = Array.IndexOf(_strategies, _strategies.MinBy(s => choice.Of(s).PredictedUs));
        if (!choice.Explored) _pick = _strategies[place];
        return place;
    }

    /// <summary>Learns how long the step took that is longest ago: a step is chosen before it is known how the last one went.</summary>
    public void Observe(double us)
    {
        if ((_before ?? _choice) is not { } choice) return;
        if (_strategies.Contains(choice.Use)) Selector = Selector.Observe(choice, us);
        _before = null;
    }

    /// <summary>Ends the turn.</summary>
    public All2AllTurn End(int round, int index, int[] total)
    {
        Choose();
        Dictionary<Strategy, double> predicted = _strategies.ToDictionary(s => s, s => _choice!.Of(s).PredictedUs);
        return new All2AllTurn(round, index, total, _pick, predicted);
    }

    private Selector Selector
    {
        get => _selectors.TryGetValue(Key, out Selector? known) ? known
            : new Selector(_model, new SelectorRules(s => Array.IndexOf(_strategies, s) >= 0) { Explore = Explore, Seed = work.Seed });
        set => _selectors[Key] = value;
    }

    private All2AllCase Key => _case with { Tokens = 0, OneSided = false };
}
