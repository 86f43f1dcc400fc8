using Spectre.Console;
using Troupe.Actors.Membership;
using Troupe.Cli.Output;

namespace Troupe.Cli.Running;

/// <summary>Shows a person how far a cluster has come while it gets ready: on stderr, and only where that is a terminal.</summary>
internal sealed class LoadingView(Shell shell) : IClusterObserver
{
    private volatile StatusContext? _shown;
    private volatile CoordinatorState? _state;

    /// <summary>The coordinator's last state; null before it has one.</summary>
    public CoordinatorState? State => _state;

    /// <inheritdoc/>
    public void Changed(CoordinatorState state)
    {
        _state = state;
        if (_shown is { } context) context.Status = Markup.Escape(Say(state));
    }

    /// <inheritdoc/>
    public void Warned(string line) => shell.Warn(line);

    /// <inheritdoc/>
    public void Ended(string? error)
    {
        // Whoever waits for the cluster learns it from the handle.
    }

    /// <summary>Waits, and shows what for.</summary>
    public async Task ShowAsync(Task ready)
    {
        if (!shell.ErrorIsTerminal)
        {
            await ready;
            return;
        }
        await shell.ErrorConsole().Status().StartAsync("starting", async context =>
        {
            _shown = context;
            await ready;
        });
        _shown = null;
    }

    /// <summary>One line about a cluster that gets ready.</summary>
    internal static string Say(CoordinatorState state)
    {
        double loaded = state.ByRank.Length == 0 ? 0 : state.ByRank.Average(n => n.LoadFraction);
        string percent = state.Phase == ClusterPhase.Loading ? $" ({loaded:P0} loaded)" : "";
        return state.WaitingFor is { } waiting ? $"waiting for {waiting}{percent}" : "ready";
    }
}
