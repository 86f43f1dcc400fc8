using Troupe.Devices.Fabric;

namespace Troupe.Cli.Measures;

/// <summary>The ranks of a benchmark as threads of this process.</summary>
internal static class All2AllThreads
{
    /// <summary>Measures; <paramref name="tally"/> takes what the ranks measured.</summary>
    /// <exception cref="FailedException">A rank failed: names it.</exception>
    public static async Task RunAsync(All2AllWork work, IAll2AllTally tally, TimeProvider clock, CancellationToken stop)
    {
        var hub = new InProcessHub();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var meeting = new Meeting(work.Ranks, over.Token);
        All2AllRank[] ranks = [.. Enumerable.Range(0, work.Ranks).Select(r =>
            new All2AllRank(work, r, new Link(meeting, r, tally), hub, clock))];
        var failures = new Failures();
        Task[] running = [.. ranks.Select((rank, r) => Task.Factory.StartNew(() =>
        {
            try
            {
                rank.Run();
            }
            catch (Exception e)
            {
                failures.Add(r, e);
                over.Cancel(); // who waits for descriptors waits no more
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        await using (stop.Register(() => Array.ForEach(ranks, rank => rank.Stop("was told to stop")))) await Task.WhenAll(running);
        stop.ThrowIfCancellationRequested();
        failures.Throw();
    }

    /// <summary>Where descriptors are exchanged: everybody writes, everybody reads.</summary>
    private sealed class Meeting(int ranks, CancellationToken stop) : IDisposable
    {
        private readonly Barrier _barrier = new(ranks);
        private readonly string[] _descriptors = new string[ranks];

        public string[] Exchange(int rank, string descriptor)
        {
            _descriptors[rank] = descriptor;
            _barrier.SignalAndWait(stop);
            string[] all = [.. _descriptors];
            _barrier.SignalAndWait(stop);
            return all;
        }

        public void Dispose() => _barrier.Dispose();
    }

    private sealed class Link(Meeting meeting, int rank, IAll2AllTally tally) : IAll2AllLink
    {
        public IReadOnlyList<string> Exchange(string descriptor) => meeting.Exchange(rank, descriptor);

        public void Report(All2AllSamples samples) => tally.Add(samples);

        public void Report(All2AllTurn turn) => tally.Add(turn);
    }

    /// <summary>What ranks failed of: the first that is nobody else's doing says most.</summary>
    private sealed class Failures
    {
        private readonly List<(int Rank, Exception Error)> _all = [];

        public void Add(int rank, Exception error)
        {
            lock (_all) _all.Add((rank, error));
        }

        public void Throw()
        {
            if (_all.Count == 0) return;
            WorkerLine[] lines = [.. _all.Select(f => All2AllWorker.Describe(f.Rank, f.Error))];
            throw new FailedException((lines.FirstOrDefault(l => l.Blames is null) ?? lines[0]).Error!);
        }
    }
}
