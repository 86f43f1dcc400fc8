using Spectre.Console;
using Troupe.Actors.Client;
using Troupe.Cli.Output;

namespace Troupe.Cli.Running;

/// <summary>Waiting for a cluster that somebody else started.</summary>
internal static class RemoteCluster
{
    /// <summary>Returns once the cluster takes requests; meanwhile a person sees what it waits for.</summary>
    /// <exception cref="ClusterException">There is none, or it has ended.</exception>
    public static async Task WaitForClusterAsync(this ClusterClient client, Shell shell, CancellationToken stop)
    {
        // Nobody there is an error at once, not a wait.
        await client.StatusAsync().WaitAsync(stop);
        if (!shell.ErrorIsTerminal)
        {
            await client.ReadyAsync(null, stop);
            return;
        }
        await shell.ErrorConsole().Status().StartAsync("connecting", context =>
            client.ReadyAsync(waiting => context.Status = Markup.Escape($"the cluster waits for {waiting}"), stop));
    }
}
