using System.CommandLine;
using System.Text.Json;
using Troupe.Actors.Hosting;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;

namespace Troupe.Cli.Verbs;

/// <summary>troupe cancel: gives up a request of anybody's.</summary>
internal static class CancelVerb
{
    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var id = new Argument<string>("ID") { Description = "The request's id, as submit shows it" };
        Option<string> at = AddressOption.Create();
        var verb = new Verb("cancel", "Cancels a request; its memory is free again within one step",
            "./troupe cancel r-3f0c91d2a7b4 --at 127.0.0.1:4100")
        {
            Details = "Says that the cluster was told, not that it knew the request: that may have ended by itself.",
        };
        verb.Arguments.Add(id);
        verb.Add(new OwnOptions(at));
        return verb.Runs(async (parsed, stop) =>
        {
            await using RemoteClient remote = RemoteClient.Open(parsed.GetValue(at)!);
            string request = parsed.GetValue(id)!;
            await remote.Client.StatusAsync().WaitAsync(stop);
            remote.Client.Cancel(request);
            // Answers come in the order of questions, so this one says that the cancel has arrived.
            await remote.Client.StatusAsync().WaitAsync(stop);
            if (verb.Output.Json(parsed))
                shell.Out.WriteLine(JsonSerializer.Serialize(new CancelResult(request, true), CliJson.Default.CancelResult));
            else shell.Out.WriteLine($"told the cluster to give up {request}");
            return ExitCode.Done;
        });
    }
}
