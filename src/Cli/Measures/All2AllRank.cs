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
}

/// <summary>
/// One rank's part of the work, on the thread that calls it: a warm-up, then rounds. In a round each case gets a fabric of its own, and all
/// its strategies take turns on one window.
/// </summary>
internal sealed class All2AllRank(All2AllWork work, int self, IAll2AllLink link, InProcessHub? hub, TimeProvider clock)
{
    // Twice, for the compiler replaces the first code of a method some time after it ran 30 times.
    private const int WarmUps = 2, WarmUpIterations = 500;
    private static readonly TimeSpan s_warmUp = TimeSpan.FromMilliseconds(80);

    private readonly World _world = new(new Layout(1, work.Ranks, 1));
    private readonly Lock _gate = new();
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
            Loop(made, placement, input, new StepBarrier(fabric, _world.All, flags[0]), limits, corruption, (i, samples) =>
            {
                if (round >= 0) link.Report(samples with { Round = round, Case = index, Strategy = strategies[i] });
            });
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

    private void Loop(IAll2All[] made, ExpertPlacement placement, All2AllInput input, StepBarrier barrier, LoopLimits limits,
        Corruption corruption, Action<int, All2AllSamples> report)
    {
        IReadOnlyList<ExpertId> own = placement.Of(self);
        int first = own.Count > 0 ? own[0].Value : 0;
        var loop = new All2AllLoop(input, barrier, new IdentityExpert(first, own.Count), clock, self);
        for (int i = 0; i < made.Length; i++)
        {
            var check = new All2AllCheck(input, made[i].Name, self, first, own.Count);
            report(i, loop.Measure(made[i], check, limits, corruption));
        }
        barrier.Meet(); // nobody takes its window away while another rank still adds up what lies in it
        foreach (IAll2All strategy in made) strategy.Dispose();
    }

    private void Take(IFabric? fabric)
    {
        lock (_gate)
        {
            _fabric = fabric;
            if (_stopped) fabric?.Abort(null, "was told to stop");
        }
    }
}
