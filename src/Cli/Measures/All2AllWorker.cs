using System.Collections.Concurrent;
using System.Text.Json;
using Troupe.Cli.Output;
using Troupe.Devices.Fabric;

namespace Troupe.Cli.Measures;

/// <summary>
/// A rank of the benchmark as a process: its order is the first line on stdin, the descriptors of each set-up are the later ones, and all
/// it says are lines on stdout. It ends when stdin does, so that it cannot outlive the bench.
/// </summary>
internal sealed class All2AllWorker : IAll2AllLink
{
    private readonly BlockingCollection<string> _lines = [];
    private readonly TextWriter _out;
    private All2AllRank? _rank;

    private All2AllWorker(Shell shell)
    {
        _out = shell.Out;
        // It may wait for stdin when the work is done: it ends with the process.
        var reader = new Thread(() => Read(shell.OpenInput())) { IsBackground = true, Name = "lines from the bench" };
        reader.Start();
    }

    /// <summary>Measures what stdin orders.</summary>
    public static int Run(Shell shell)
    {
        var worker = new All2AllWorker(shell);
        int self = -1;
        try
        {
            WorkerOrder order = JsonSerializer.Deserialize(worker.Next(), All2AllLines.Default.WorkerOrder)!;
            self = order.Rank;
            worker._rank = new All2AllRank(order.Work, self, worker, null, shell.Clock);
            worker._rank.Run();
            worker.Say(new WorkerLine(Done: true));
            return ExitCode.Done;
        }
        catch (Exception e)
        {
            worker.Say(Describe(self, e));
            return ExitCode.Failed;
        }
    }

    /// <summary>What to say of an error of a rank.</summary>
    public static WorkerLine Describe(int rank, Exception error) => error switch
    {
        CheckFailedException => new WorkerLine(Error: error.Message),
        OperationCanceledException => new WorkerLine(Error: $"rank {rank} was told to stop", Blames: -1),
        FabricException { Culprit: var culprit } when culprit?.Value != rank =>
            new WorkerLine(Error: error.Message, Blames: culprit?.Value ?? -1),
        FabricException or FabricSetupException => new WorkerLine(Error: error.Message),
        _ => new WorkerLine(Error: $"rank {rank}: a defect in Troupe: {error.GetType().Name}: {error.Message} at {error.StackTrace}"),
    };

    /// <inheritdoc/>
    public IReadOnlyList<string> Exchange(string descriptor)
    {
        Say(new WorkerLine(descriptor));
        return JsonSerializer.Deserialize(Next(), All2AllLines.Default.WorkerPeers)!.Descriptors;
    }

    /// <inheritdoc/>
    public void Report(All2AllSamples samples) => Say(new WorkerLine(Samples: samples));

    /// <inheritdoc/>
    public void Report(All2AllTurn turn) => Say(new WorkerLine(Turn: turn));

    private void Say(WorkerLine line)
    {
        try
        {
            _out.WriteLine(All2AllLines.Of(line));
        }
        catch (IOException)
        {
            // The bench is gone; stdin has ended as well.
        }
    }

    private string Next()
    {
        try
        {
            return _lines.Take();
        }
        catch (InvalidOperationException ended)
        {
            throw new OperationCanceledException("the bench ended", ended);
        }
    }

    private void Read(Stream input)
    {
        using var reader = new StreamReader(input);
        while (reader.ReadLine() is { } line) _lines.Add(line);
        _lines.CompleteAdding();
        _rank?.Stop("was told to stop");
    }
}
