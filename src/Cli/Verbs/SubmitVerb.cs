using System.CommandLine;
using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Hosting;
using Troupe.Actors.Protocols;
using Troupe.Cli.Input;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;

namespace Troupe.Cli.Verbs;

/// <summary>troupe submit: gives a batch of prompts to a running cluster and streams what comes back.</summary>
internal static class SubmitVerb
{
    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var text = new Argument<string[]>("TEXT") { Description = "Prompts", Arity = ArgumentArity.ZeroOrMore };
        Option<string?> file = Opt.OptionalText("--file", "PROMPTS.jsonl",
            "Prompts, one JSON string a line, or an object {\"prompt\": ..., \"max_tokens\": ...}; - is stdin");
        Option<string> at = AddressOption.Create();
        var sampling = new SamplingOptions();
        var verb = new Verb("submit", "Submits prompts to a running cluster",
            "./troupe submit \"ROMEO.\" \"JULIET.\" --max-tokens 40 --at 127.0.0.1:4100")
        {
            Details = "One prompt's text is streamed as it comes; of several, each is written when it is complete. Ctrl+C cancels the "
                + "requests.",
        };
        verb.Arguments.Add(text);
        verb.Add(new OwnOptions(file, at));
        verb.Add(sampling);
        return verb.Runs(async (parsed, stop) =>
        {
            GenerationSettings generation = sampling.Read(parsed);
            List<Prompt> prompts = [.. PromptReader.FromArguments(parsed.GetValue(text) ?? [])];
            if (parsed.GetValue(file) is { } name) prompts.AddRange(PromptReader.FromFile(name, shell, generation));
            if (prompts.Count == 0)
                throw new UsageException("no prompt: give one as an argument, or a file with --file; see ./troupe submit --help");
            await using RemoteClient remote = RemoteClient.Open(parsed.GetValue(at)!);
            await remote.Client.WaitForClusterAsync(shell, stop);
            return await RunAsync(shell, remote.Client, prompts, generation, verb.Output.Json(parsed), stop);
        });
    }

    private static async Task<int> RunAsync(
        Shell shell, ClusterClient client, List<Prompt> prompts, GenerationSettings generation, bool json, CancellationToken stop)
    {
        RequestSpec[] requests = [.. prompts.Select(p => p.ToRequest(generation))];
        var texts = new StreamedTexts(shell, prompts, requests);
        IReadOnlyList<RequestOutcome> outcomes = await Batch.RunAsync(shell, client, requests, json ? null : texts.On, stop);
        if (json)
        {
            List<RequestResult> results = [.. outcomes.Zip(prompts, (o, p) => o.ToResult(p.Text))];
            shell.Out.WriteLine(JsonSerializer.Serialize(results, CliJson.Default.ListRequestResult));
        }
        int failed = 0;
        foreach ((RequestOutcome outcome, Prompt prompt) in outcomes.Zip(prompts))
        {
            if (outcome.IsGood()) continue;
            failed++;
            shell.Error.WriteLine($"troupe: {prompt.Where}: {outcome.Problem()}");
        }
        return failed == 0 ? ExitCode.Done : ExitCode.Failed;
    }
}
