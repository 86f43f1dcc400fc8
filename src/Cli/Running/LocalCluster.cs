using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Cli.Options;
using Troupe.Cli.Output;

namespace Troupe.Cli.Running;

/// <summary>A cluster that a verb starts for itself: ready when it is handed out, gone when it is disposed.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private readonly ClusterHandle _handle;

    private LocalCluster(ClusterHandle handle, ClusterClient client, ModelSource model) =>
        (_handle, Client, Model) = (handle, client, model);

    /// <summary>Its model.</summary>
    public ModelSource Model { get; }

    /// <summary>A client of it, which knows that it is ready.</summary>
    public ClusterClient Client { get; }

    /// <summary>The control node's address; empty inside one process.</summary>
    public string Address => _handle.Address;

    /// <summary>Seconds from the start to ready.</summary>
    public double LoadSeconds { get; private init; }

    /// <summary>Completes when it is over: with an error, or null after a drain.</summary>
    public Task<string?> Ended => _handle.Ended;

    /// <summary>Checks the layout against the model, starts control node and ranks, and waits until all are ready.</summary>
    /// <exception cref="UsageException">The layout does not fit the model.</exception>
    /// <exception cref="ClusterException">It ended before it was ready.</exception>
    public static async Task<LocalCluster> StartAsync(
        Shell shell, RunSettings settings, ModelSource model, bool verbose, CancellationToken stop, int port = 0)
    {
        if (LayoutCheck.Problem(settings.Layout, settings.Options.Split, model.Config) is { } problem) throw new UsageException(problem);
        long started = shell.Clock.GetTimestamp();
        var view = new LoadingView(shell);
        LaunchMode mode = settings.InProcess ? LaunchMode.InProcess : LaunchMode.Processes;
        Action<string> log = verbose ? shell.Error.WriteLine : _ => { };
        var spec = new LaunchSpec(settings.Options, model, mode, typeof(LocalCluster).Assembly.Location, log, Port: port)
        {
            Settings = [.. new[] { verbose ? ConfigLayers.Verbose : null, settings.File }.OfType<HoconText>()],
        };
        ClusterHandle handle = ClusterHandle.Start(spec, view);
        try
        {
            ClusterClient client = handle.Client();
            Task ready = client.ReadyAsync(null, stop);
            await view.ShowAsync(Task.WhenAny(ready, handle.Ended));
            if (!ready.IsCompleted) throw new ClusterException(await handle.Ended ?? "the cluster ended before it was ready");
            await ready;
            return new LocalCluster(handle, client, model) { LoadSeconds = shell.Clock.GetElapsedTime(started).TotalSeconds };
        }
        catch
        {
            await handle.DisposeAsync();
            throw;
        }
    }

    /// <summary>The same for the model that the settings name.</summary>
    public static Task<LocalCluster> StartAsync(Shell shell, RunSettings settings, bool verbose, CancellationToken stop, int port = 0) =>
        StartAsync(shell, settings, Models.Find(settings.Options.Model), verbose, stop, port);

    /// <summary>Lets running requests end and stops the ranks.</summary>
    /// <exception cref="ClusterException">It did not end well.</exception>
    public async Task DrainAsync()
    {
        if (await _handle.DrainAsync() is { } error) throw new ClusterException(error);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _handle.DisposeAsync();
}
