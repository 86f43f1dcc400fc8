using System.CommandLine;
using System.Text.Json;
using Spectre.Console;
using Spectre.Console.Rendering;
using Troupe.Actors.Hosting;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Cli.Options;
using Troupe.Cli.Output;

namespace Troupe.Cli.Verbs;

/// <summary>troupe watch: a cluster's status, again and again.</summary>
internal static class WatchVerb
{
    private const int PanelFrame = 4;

    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        Option<string> at = AddressOption.Create();
        Option<double> interval =
            Opt.Number("--interval", "Seconds between looks", 1, "a number in [0.1, 3600]", x => x is >= 0.1 and <= 3600);
        Option<int> count = Opt.Int("--count", "Looks before it ends; 0 goes on until Ctrl+C", 0, int.MaxValue, 0);
        var verb = new Verb("watch", "Shows what a cluster does, once a second", "./troupe watch --at 127.0.0.1:4100")
        {
            Details = "With --json, one status object a line.",
        };
        verb.Add(new OwnOptions(at, interval, count));
        return verb.Runs(async (parsed, stop) =>
        {
            await using RemoteClient remote = RemoteClient.Open(parsed.GetValue(at)!);
            using var timer = new PeriodicTimer(TimeSpan.FromSeconds(parsed.GetValue(interval)), shell.Clock);
            bool json = verb.Output.Json(parsed);
            int looks = parsed.GetValue(count);
            Func<Task<string>> ask = () => remote.Client.InspectAsync(Subject.Status, "").WaitAsync(stop);
            if (shell.OutIsTerminal && !json)
            {
                Panel first = Show(await ask(), shell.Width);
                await shell.Console().Live(first)
                    .StartAsync(context => LookAsync(looks, timer, ask, text => context.UpdateTarget(Show(text, shell.Width)), stop));
            }
            else
            {
                await LookAsync(looks, timer, ask, text => Write(shell, text, json), stop);
            }
            return ExitCode.Done;
        });
    }

    private static async Task LookAsync(int looks, PeriodicTimer timer, Func<Task<string>> ask, Action<string> show, CancellationToken stop)
    {
        try
        {
            for (int look = 1; ; look++)
            {
                show(await ask());
                if (look == looks || !await timer.WaitForNextTickAsync(stop)) return;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Ctrl+C is how one ends a watch.
        }
    }

    private static StatusReport Read(string json) => JsonSerializer.Deserialize(json, ReportJson.Default.StatusReport)!;

    private static void Write(Shell shell, string text, bool json)
    {
        if (json) shell.Out.WriteLine(text);
        else StatusText.Write(shell, Read(text));
    }

    private static Panel Show(string text, int width)
    {
        StatusReport status = Read(text);
        string head = status.Ready ? $"ready, step {status.Step}" : $"waits for {status.WaitingFor} since {status.WaitingSeconds:0} s";
        IRenderable[] parts =
        [
            new Text($"{head}; {status.Queue} queued, {status.Running} running, {status.Model}, {status.Layout} over {status.Fabric}"),
            StatusTables.Ranks(status).Drawn(width - PanelFrame), StatusTables.Steps(status.Recent).Drawn(width - PanelFrame),
        ];
        return new Panel(new Rows(parts)) { Header = new PanelHeader(" troupe "), Border = BoxBorder.Rounded };
    }
}
