using System.CommandLine;
using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Cli.Input;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;

namespace Troupe.Cli.Verbs;

/// <summary>troupe generate: completes one prompt with a cluster of its own.</summary>
internal static class GenerateVerb
{
    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var text = new Argument<string?>("TEXT") { Description = "The prompt; without it, stdin is", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> chat = Opt.OptionalText("--chat", "FILE.json|TEXT", "Messages for the model's chat template, or one of the user's");
        var model = new ModelOptions();
        var sampling = new SamplingOptions();
        var verb = new Verb("generate", "Completes a prompt", "./troupe generate \"ROMEO.\" --max-tokens 40 --stages 2 --replicas 2")
        {
            Details = "Starts ranks for this one prompt: processes, or threads with --in-process; one rank alone runs in this process. "
                + "The completion goes to stdout as it comes. --chat takes a JSON list of messages, or an object with messages, tools "
                + "and what else the template reads: ./troupe generate --chat \"Who wrote Hamlet?\" --model DIR",
        };
        verb.Arguments.Add(text);
        verb.Add(new OwnOptions(chat));
        verb.Add(model);
        verb.Add(sampling);
        return verb.Runs(async (parsed, stop) =>
        {
            RunSettings settings = model.Read(parsed, shell.Warn);
            GenerationSettings generation = sampling.Read(parsed);
            if (parsed.GetValue(text) is not null && parsed.GetValue(chat) is not null)
                throw new UsageException("a prompt and --chat contradict each other: give one of them");
            Prompt prompt = parsed.GetValue(chat) is { } messages
                ? ChatReader.Read(settings.Options.Model, messages, shell.Clock) : ReadPrompt(shell, parsed.GetValue(text));
            return await RunAsync(shell, settings, prompt, generation, verb.Output.Json(parsed), verb.Output.Verbose(parsed), stop);
        });
    }

    private static Prompt ReadPrompt(Shell shell, string? text)
    {
        if (text is not null) return PromptReader.FromArguments([text]).Single();
        if (shell.InputIsTerminal) throw new UsageException("no prompt: give it as an argument, or on stdin; see ./troupe generate --help");
        return PromptReader.FromInput(shell);
    }

    private static async Task<int> RunAsync(
        Shell shell, RunSettings settings, Prompt prompt, GenerationSettings generation, bool json, bool verbose, CancellationToken stop)
    {
        await using LocalCluster cluster = await LocalCluster.StartAsync(shell, settings, verbose, stop);
        Action<BatchEvent>? stream = json ? null : happened => shell.Out.Write(happened.Text);
        RequestOutcome outcome = (await Batch.RunAsync(shell, cluster.Client, [prompt.ToRequest(generation)], stream, stop))[0];
        if (json) shell.Out.WriteLine(JsonSerializer.Serialize(outcome.ToResult(prompt.Text), CliJson.Default.RequestResult));
        else if (outcome.IsGood()) shell.Out.WriteLine(outcome.Text.Length > 0 ? "" : outcome.TextOrIds());
        else if (outcome.Text.Length > 0) shell.Out.WriteLine();
        if (!outcome.IsGood()) throw new FailedException($"{prompt.Where}: {outcome.Problem()}");
        if (shell.ErrorIsTerminal && !json) shell.Error.WriteLine($"[{outcome.Speed()}]");
        return ExitCode.Done;
    }
}
