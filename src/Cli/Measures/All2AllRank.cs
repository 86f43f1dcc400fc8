using System.Text.Json;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Measures;

/// <summary>How a rank of the benchmark meets the others, and where its numbers go.</summary>
internal interface IAll2AllLink
{
    /// <summary>Gives this rank's descriptor for that of all ranks, in rank order.</summary>
    IReadOnlyList<string> Exchange(string descriptor);

    /// <summary>Hands a measurement over.</summary>
    void Report(All2AllSamples samples);

    /// <summary>Hands over how the router did.</summary>
    void Report(All2AllTurn turn);
}

/// <summary>
/// One rank's part of the work, on the thread that calls it: a warm-up, in which the fabric is calibrated for the router, then rounds. In a
/// round each case gets a fabric of its own, on which the router has its turn, then each strategy, all on one window.
/// </summary>
internal sealed class All2AllRank(All2AllWork work, int self, IAll2AllLink link, InProcessHub? hub, TimeProvider clock)
{
    // Twice, for the compiler replaces the first code of a method some time after it ran 30 times.
    private const int WarmUps = 2, WarmUpIterations = 500;
    private static readonly TimeSpan s_warmUp = TimeSpan.FromMilliseconds(80);

    private readonly World _world = new(new Layout(1, work.Ranks, 1));
    private readonly Lock _gate = new();
    private readonly All2AllRouter? _router = self == 0 ? new All2AllRouter(work) : null;
    private IFabric? _fabric;
    private bool _stopped;
    private int _setUps;

    /// <summary>Measures everything.</summary>
    /// <exception cref="CheckFailedException">A strategy computes wrong numbers.</exception>
    /// <exception cref="FabricException">Another rank gave up or is gone.</exception>
    public void Run()
    {
        for (int i = 0; i < WarmUps; i++)
            Measure(-1, 0, new LoopLimits(Math.Min(WarmUpIterations, work.Iterations), s_warmUp), Corruption.None);
        var limits = new LoopLimits(work.Iterations, TimeSpan.FromMilliseconds(work.BudgetMs));
        Corruption corruption = self == work.Ranks - 1 ? work.Corruption : Corruption.None;
        for (int round = 0; round < work.Rounds; round++)
            for (int i = 0; i < work.Cases.Count; i++) Measure(round, i, limits, corruption);
    }

    /// <summary>Ends all waits of the world; from any thread.</summary>
    public void Stop(string reason)
    {
        lock (_gate)
        {
            _stopped = true;
            _fabric?.Abort(null, reason);
        }
    }

    private void Measure(int round, int index, LoopLimits limits, Corruption corruption)
    {
        All2AllCase shape = work.Cases[index];
        var plan = new WindowPlan();
        var hosts = new Hosts(work.HostNames);
        All2AllWindow? window = All2AllWindow.Reserve(plan, work.Ranks, shape.Shape, hosts);
        FlagRange flags = plan.ReserveFlags(1);
        var calibration = CalibrationPlan.Reserve(plan);
        var deadline = TimeSpan.FromMilliseconds(work.DeadlineMs);
        var setup = new FabricSetup(_world, _world.Rank(self), new Epoch(1), plan,
            new FabricOptions(deadline, deadline, work.Secret) { Clock = clock, Hosts = work.HostNames },
            $"{work.Session}-{_setUps++}");
        using IFabricEndpoint endpoint = Fabrics.Open(work.Fabric, setup, hub);
        using IFabric fabric = endpoint.Connect(link.Exchange(endpoint.Descriptor));
        Take(fabric);
        try
        {
            using var input = new All2AllInput(shape, work.Seed, work.Ranks, self);
            Strategy[] strategies = [.. shape.Legal(work.Strategies)];
            var placement = ExpertPlacement.Blocks(shape.Experts, work.Ranks);
            IAll2All[] made = [.. strategies.Select(s =>
                Strategies.Make(s, fabric, _world.All, window, shape.Shape, new Epoch(1), placement, hosts))];
            var barrier = new StepBarrier(fabric, _world.All, flags[0]);
            Loop(round, index, made, strategies, new Part(input, barrier, placement.Of(self), limits, corruption));
            if (round < 0) Calibrate(new Calibration(fabric, _world.All, calibration, clock));
            barrier.Meet(); // nobody takes its window away while another rank still adds up what lies in it
            foreach (IAll2All strategy in made) strategy.Dispose();
        }
        catch (CheckFailedException e)
        {
            fabric.Abort(fabric.Self, e.Message.Length < 200 ? e.Message : e.Message[..200]);
            throw;
        }
        finally
        {
            Take(null);
        }
    }

    /// <summary>The router's turn, then each strategy's.</summary>
    private void Loop(int round, int index, IAll2All[] made, Strategy[] strategies, Part part)
    {
        if (made.Length == 0) return;
        (int first, int count) = part.Experts.Count > 0 ? (part.Experts[0].Value, part.Experts.Count) : (0, 0);
        var loop = new All2AllLoop(part.Input, part.Barrier, new IdentityExpert(first, count), clock, self);
        _router?.Begin(work.Cases[index], strategies);
        int[] routed = loop.Routed(made, _router, new All2AllCheck(part.Input, "auto", self, first, count), part.Limits);
        if (_router?.End(round, index, routed) is { } turn && round >= 0) link.Report(turn);
        for (int i = 0; i < made.Length; i++)
        {
            var check = new All2AllCheck(part.Input, made[i].Name, self, first, count);
            All2AllSamples samples = loop.Measure(made[i], check, part.Limits, part.Corruption);
            if (round >= 0) link.Report(samples with { Round = round, Case = index, Strategy = strategies[i] });
        }
    }

    /// <summary>What all ranks measured of this fabric goes to the router.</summary>
    private void Calibrate(Calibration calibration)
    {
        string own = JsonSerializer.Serialize(calibration.Measure(), All2AllLines.Default.LinkCalibration);
        IReadOnlyList<string> all = link.Exchange(own);
        _router?.Calibrated([.. all.Select(c => JsonSerializer.Deserialize(c, All2AllLines.Default.LinkCalibration)!)]);
    }

    private void Take(IFabric? fabric)
    {
        lock (_gate)
        {
            _fabric = fabric;
            if (_stopped) fabric?.Abort(null, "was told to stop");
        }
    }

    /// <summary>What a rank has for one case.</summary>
    private sealed record Part(All2AllInput Input, StepBarrier Barrier, IReadOnlyList<ExpertId> Experts, LoopLimits Limits,
        Corruption Corruption);
}
