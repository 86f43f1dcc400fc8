using System.CommandLine;
using System.Text.Json;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Client;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;

namespace Troupe.Cli.Verbs;

/// <summary>troupe up: a local cluster in the foreground.</summary>
internal static class UpVerb
{
    private const int DefaultPort = 4100;

    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        Option<string?> file =
            Opt.OptionalText("--config", "FILE", "HOCON over hocon/reference.conf; options on the command line win", "-c");
        Option<int> port = Opt.Int("--port", "Port of the control node, which submit and status talk to; 0 for a free one", 0, 65535,
            DefaultPort);
        var model = new ModelOptions(stages: 2, replicas: 2);
        var verb = new Verb("up", "Runs a cluster on this machine until Ctrl+C", "./troupe up --stages 2 --replicas 2")
        {
            Details = "Starts a control node here and a process for each rank. Ctrl+C and SIGTERM let running requests end, then stop "
                + "the ranks; a second one stops at once.",
        };
        verb.Add(new OwnOptions(file, port));
        verb.Add(model);
        return verb.Runs(async (parsed, stop) =>
        {
            HoconText? config = parsed.GetValue(file) is { } name ? HoconText.Load(name) : null;
            RunSettings settings = model.Read(parsed, shell.Warn, config);
            // Even a single rank gets a process: inside this one nobody could reach the cluster.
            if (parsed.GetValue(model.AsksInProcess))
                throw new UsageException(
                "up and --in-process contradict each other: clients in other processes reach a cluster of processes only");
            settings = settings with { InProcess = false };
            return await RunAsync(shell, settings, parsed.GetValue(port), verb.Output.Json(parsed), verb.Output.Verbose(parsed), stop);
        });
    }

    private static async Task<int> RunAsync(Shell shell, RunSettings settings, int port, bool json, bool verbose, CancellationToken stop)
    {
        await using LocalCluster cluster = await LocalCluster.StartAsync(shell, settings, verbose, stop, port);
        var ready = new UpResult(cluster.Address, settings.Options.Model, settings.Layout.ToString(), settings.Layout.Ranks,
            Nodes.Provider);
        if (json)
        {
            shell.Out.WriteLine(JsonSerializer.Serialize(ready, CliJson.Default.UpResult));
        }
        else
        {
            shell.Out.WriteLine($"ready at {cluster.Address} after {cluster.LoadSeconds:0.0} s: {settings.Options.Model}, "
                + $"{settings.Layout}, {ready.Provider}");
            shell.Out.WriteLine($"try:  ./troupe submit \"ROMEO.\" --at {cluster.Address}");
            shell.Out.WriteLine($"      ./troupe watch --at {cluster.Address}");
            shell.Out.WriteLine("Ctrl+C drains and stops.");
        }
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration registration = stop.Register(() => asked.TrySetResult());
        await Task.WhenAny(asked.Task, cluster.Ended);
        if (!stop.IsCancellationRequested) throw new ClusterException(await cluster.Ended ?? "the cluster was stopped from elsewhere");
        shell.Error.WriteLine("troupe: draining: running requests end first");
        await cluster.DrainAsync();
        return ExitCode.Done;
    }
}
