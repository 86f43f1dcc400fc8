using System.Threading.Channels;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Cli.Output;

namespace Troupe.Cli.Running;

/// <summary>
/// Something happened to the request at <paramref name="Index"/> of a batch. <paramref name="Reason"/> is null while it runs.
/// </summary>
internal readonly record struct BatchEvent(int Index, string Text, int Tokens, string? Reason);

/// <summary>Runs requests and hands what happens to the verb's own thread: an actor must not wait for a terminal or a full disk.</summary>
internal static class Batch
{
    private static readonly TimeSpan CancelGrace = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Runs a batch to its end. <paramref name="stop"/> cancels its requests, and their outcomes say so; if <paramref name="on"/> throws,
    /// they are cancelled too.
    /// </summary>
    /// <exception cref="FailedException">The cluster did not confirm a cancel.</exception>
    public static async Task<IReadOnlyList<RequestOutcome>> RunAsync(
        Shell shell, ClusterClient client, IReadOnlyList<RequestSpec> requests, Action<BatchEvent>? on, CancellationToken stop)
    {
        var index = requests.Select((r, i) => (r.Id, i)).ToDictionary(r => r.Id, r => r.i, StringComparer.Ordinal);
        var events = Channel.CreateUnbounded<BatchEvent>(new UnboundedChannelOptions { SingleReader = true });
        using var cancel = new CancellationTokenSource();
        using var givenUp = new CancellationTokenSource();
        using var timer = shell.Clock.CreateTimer(_ => givenUp.Cancel(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        await using CancellationTokenRegistration stopped = stop.Register(() =>
        {
            cancel.Cancel();
            timer.Change(CancelGrace, Timeout.InfiniteTimeSpan);
        });
        Task<IReadOnlyList<RequestOutcome>> run = client.RunAsync(requests,
            (outcome, text) => events.Writer.TryWrite(new BatchEvent(index[outcome.Request.Id], text, outcome.Ids.Count,
                outcome.FinishReason)), cancel.Token);
        _ = run.ContinueWith(_ => events.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        try
        {
            await foreach (BatchEvent happened in events.Reader.ReadAllAsync(givenUp.Token)) on?.Invoke(happened);
        }
        catch (OperationCanceledException) when (givenUp.IsCancellationRequested)
        {
            throw new FailedException($"stopped, but the cluster did not confirm the cancel within {CancelGrace.TotalSeconds:0} s");
        }
        catch
        {
            await cancel.CancelAsync();
            throw;
        }
        return await run;
    }
}
