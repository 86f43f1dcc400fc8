using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Cli.Input;
using Troupe.Cli.Measures;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer;

namespace Troupe.Cli.Verbs;

/// <summary>troupe eval perplexity: how well a model predicts a text.</summary>
internal static class EvalVerb
{
    private const int DefaultWindow = 512, AtOnce = 32;
    private static readonly SamplingSpec Greedy = new(0, 0, 1, 0, 1, 0);

    /// <summary>Makes the verb.</summary>
    public static Command Create(Shell shell)
    {
        Option<string?> file = Opt.OptionalText("--file", "TEXT.txt", "The text to score (default: the model folder's heldout.json)");
        Option<int> window = Opt.Int("--window", "Tokens of each window; 0 is heldout.json's, or 512", 0, int.MaxValue, 0);
        Option<int> windows = Opt.Int("--windows", "Score at most N windows; 0 for all", 0, int.MaxValue, 0);
        var model = new ModelOptions(math: "exact");
        var verb = new Verb("perplexity", "Scores a text: exp of the mean negative log-probability of its tokens",
            "./troupe eval perplexity --model models/sample --windows 4")
        {
            Details = "The text is cut into windows of tokens, one after the other. Each starts with an empty cache, and all its tokens "
                + "but the first are scored.",
        };
        verb.Add(new OwnOptions(file, window, windows));
        verb.Add(model);
        verb.Runs(async (parsed, stop) =>
        {
            RunSettings settings = model.Read(parsed, shell.Warn);
            var text = new Text(parsed.GetValue(file), parsed.GetValue(window), parsed.GetValue(windows));
            PerplexityResult result = await RunAsync(shell, settings, text, verb.Output.Verbose(parsed), stop);
            if (verb.Output.Json(parsed)) shell.Out.WriteLine(JsonSerializer.Serialize(result, CliJson.Default.PerplexityResult));
            else Write(shell, result);
            return ExitCode.Done;
        });
        return new Command("eval", "Measures a model's quality: perplexity") { verb };
    }

    private sealed record Text(string? File, int Window, int MaxWindows);

    private static async Task<PerplexityResult> RunAsync(Shell shell, RunSettings settings, Text text, bool verbose, CancellationToken stop)
    {
        string folder = settings.Options.Model;
        ModelConfig config = ModelConfig.Load(folder);
        HeldOut? heldOut = text.File is null ? HeldOut.Load(folder) : null;
        int window = Math.Min(config.MaxPositions, text.Window > 0 ? text.Window : heldOut?.Window ?? DefaultWindow);
        if (window < 2) throw new UsageException($"--window must be at least 2, got {window}: the first token of a window is not scored");
        ArraySegment<int>[] all = [.. Perplexity.Windows([.. Tokens(text, folder, heldOut)], window)];
        ArraySegment<int>[] chosen = text.MaxWindows > 0 ? all[..Math.Min(all.Length, text.MaxWindows)] : all;
        if (chosen.Length == 0) throw new FailedException($"{text.File ?? HeldOut.FileName}: fewer than 2 tokens: nothing to score");

        long started = shell.Clock.GetTimestamp();
        await using LocalCluster cluster = await LocalCluster.StartAsync(shell, settings, verbose, stop);
        var perplexity = new Perplexity();
        using var progress = new CountView(shell, "windows scored", chosen.Length);
        foreach (ArraySegment<int>[] group in chosen.Chunk(AtOnce * settings.Layout.Replicas))
        {
            RequestSpec[] requests =
                [.. group.Select(w => new RequestSpec(Prompt.NewId(), null, w, 0, Greedy, [], true, SequenceMode.Score))];
            foreach (RequestOutcome outcome in await Batch.RunAsync(shell, cluster.Client, requests, progress.On, stop))
            {
                if (outcome.FinishReason != "scored" || outcome.LogProbs.Count != outcome.Request.Ids.Count - 1)
                    throw new FailedException(outcome.Problem() is { Length: > 0 } problem ? problem
                        : $"a window of {outcome.Request.Ids.Count} tokens came back with {outcome.LogProbs.Count} scores");
                perplexity.Add(outcome.LogProbs);
            }
        }
        StatusReport status = await cluster.Client.StatusAsync();
        IReadOnlyList<IReadOnlyList<double>> load = ExpertShares.Of(await cluster.Client.ExpertLoadAsync(), config.Layers);
        bool whole = heldOut is not null && chosen.Length == all.Length && window == heldOut.Window;
        return new PerplexityResult(perplexity.Value, perplexity.Tokens, heldOut?.Perplexity, load, status.StrategiesUsed, chosen.Length,
            window,
            Math.Round(shell.Clock.GetElapsedTime(started).TotalSeconds, 3), whole ? ExpertShares.MaxDifference(load, heldOut!.ExpertLoad)
                : null);
    }

    private static IReadOnlyList<int> Tokens(Text text, string folder, HeldOut? heldOut)
    {
        if (heldOut is not null) return heldOut.Tokens;
        if (text.File is null) throw new FailedException($"{folder} has no {HeldOut.FileName}: give a text with --file");
        using Stream stream = PromptReader.OpenFile(text.File);
        using var reader = new StreamReader(stream, new System.Text.UTF8Encoding(false, throwOnInvalidBytes: true));
        try
        {
            return BpeTokenizer.Load(folder).Encode(reader.ReadToEnd());
        }
        catch (System.Text.DecoderFallbackException)
        {
            throw new FailedException($"{text.File}: not valid UTF-8");
        }
    }

    [SuppressMessage("Globalization", "MA0011", Justification = "The whole program is culture-invariant.")]
    private static void Write(Shell shell, PerplexityResult result)
    {
        shell.Out.WriteLine($"perplexity {result.Perplexity:0.0000} over {result.ScoredTokens} tokens in {result.Windows} windows of "
            + $"{result.Window}, {result.Seconds:0.0} s");
        if (result.ReferencePerplexity is { } reference)
        {
            shell.Out.WriteLine($"reference {reference:0.0000} ({result.Perplexity / reference - 1:+0.000%;-0.000%})"
                + (result.MaxExpertLoadDifference is { } difference ? $", expert load within {difference:0.000%} of the reference"
                    : " (of all its windows)"));
        }
        shell.Out.WriteLine($"strategies used: {string.Join(", ", result.StrategiesUsed.Select(s => $"{s.Key} in {s.Value} steps"))}");
        foreach ((int layer, IReadOnlyList<double> shares) in result.ExpertLoad.Index().Where(l => l.Item.Count > 0))
            shell.Out.WriteLine($"layer {layer}: busiest expert {shares.Max():P1}, idlest {shares.Min():P1}, even would be "
                + $"{1.0 / shares.Count:P1}");
    }
}
