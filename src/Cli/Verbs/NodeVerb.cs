using System.CommandLine;
using System.Runtime.InteropServices;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;

namespace Troupe.Cli.Verbs;

/// <summary>troupe node: one node of a real cluster, control or rank, as Docker, Kubernetes and `troupe up` start it.</summary>
internal static class NodeVerb
{
    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        Option<string> file = Opt.Text("--config", "FILE", "HOCON over hocon/reference.conf; - is stdin", "-", "-c");
        var verb = new Verb("node", "Runs one node of a cluster until the cluster ends", "./troupe node -c hocon/rank.conf")
        {
            Details = "akka.cluster.roles says which: control (coordinator and router) or rank. Nodes may start in any order. "
                + "A rank obeys its control node: it ignores Ctrl+C, and ends when its connection to the control node ends.",
        };
        verb.Add(new OwnOptions(file));
        return verb.Runs((parsed, stop) => RunAsync(shell, parsed.GetValue(file)!, verb.Output.Verbose(parsed), stop));
    }

    private static async Task<int> RunAsync(Shell shell, string file, bool verbose, CancellationToken stop)
    {
        HoconText text = file == "-" ? Read(shell) : HoconText.Load(file);
        ConfigLayers layers = verbose ? new ConfigLayers(ConfigLayers.Verbose, text) : new ConfigLayers(text);
        if (!NodeConfig.Read(layers).Roles.Contains(NodeConfig.RankRole))
            return await NodeProgram.RunAsync(layers, FindModel, shell.Error.WriteLine, stop);
        // Ctrl+C at a terminal reaches the whole process group; the control node decides when its ranks end.
        using PosixSignalRegistration ignored = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var terminated = new CancellationTokenSource();
        using PosixSignalRegistration asked = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            terminated.Cancel();
        });
        return await NodeProgram.RunAsync(layers, FindModel, shell.Error.WriteLine, terminated.Token);
    }

    private static HoconText Read(Shell shell)
    {
        using var reader = new StreamReader(shell.OpenInput());
        return HoconText.Parse("stdin", reader.ReadToEnd());
    }

    private static ModelSource FindModel(TroupeOptions options) => Models.Find(options.Model);
}
