using System.CommandLine;
using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Cli.Input;
using Troupe.Cli.Measures;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;

namespace Troupe.Cli.Verbs;

/// <summary>troupe verify: compares a model's logits and greedy tokens with a golden from its reference implementation.</summary>
internal static class VerifyVerb
{
    private static readonly SamplingSpec Greedy = new(0, 0, 1, 0, 1, 0);

    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        Option<string?> golden =
            Opt.OptionalText("--golden", "FILE", "Golden to compare with (default: the model folder's golden.json, else heldout.json)");
        Option<double> tolerance = Opt.Number("--tolerance", "Largest difference of a logit or log-probability that passes", 1e-3,
            "a number of at least 0", x => x >= 0 && double.IsFinite(x));
        var model = new ModelOptions(math: "exact");
        var verb = new Verb("verify", "Compares a model with a golden: logits, log-probabilities, greedy tokens",
            "./troupe verify --model tests/goldens/models/qwen3-moe --stages 2 --replicas 2")
        {
            Details = "Exit code 1 when a logit or log-probability differs by more than the tolerance, or a greedy token differs.",
        };
        verb.Add(new OwnOptions(golden, tolerance));
        verb.Add(model);
        return verb.Runs(async (parsed, stop) =>
        {
            RunSettings settings = model.Read(parsed, shell.Warn);
            IReadOnlyList<GoldenCase> cases = GoldenCase.Load(parsed.GetValue(golden), settings.Options.Model);
            VerifyResult result = await RunAsync(shell, settings, cases, parsed.GetValue(tolerance), verb.Output.Verbose(parsed), stop);
            if (verb.Output.Json(parsed)) shell.Out.WriteLine(JsonSerializer.Serialize(result, CliJson.Default.VerifyResult));
            else Write(shell, settings, result);
            return result.Passed ? ExitCode.Done : ExitCode.Failed;
        });
    }

    private static async Task<VerifyResult> RunAsync(
        Shell shell, RunSettings settings, IReadOnlyList<GoldenCase> cases, double tolerance, bool verbose, CancellationToken stop)
    {
        await using LocalCluster cluster = await LocalCluster.StartAsync(shell, settings, verbose, stop);
        bool tokenizer = cluster.Model.TokenizerFolder is not null;
        RequestSpec[] requests = [.. cases.Select(c => new RequestSpec(Prompt.NewId(), tokenizer ? c.PromptText : null,
            tokenizer && c.PromptText is not null ? [] : c.Prompt, Math.Max(1, c.Greedy.Count), Greedy, [], IgnoreEos: true,
            c.LastLogits.Count > 0 ? SequenceMode.Probe : SequenceMode.Generate))];
        using var progress = new CountView(shell, "cases run", requests.Length);
        IReadOnlyList<RequestOutcome> outcomes = await Batch.RunAsync(shell, cluster.Client, requests, progress.On, stop);
        var comparison = new GoldenComparison(tolerance);
        foreach ((GoldenCase golden, RequestOutcome outcome) in cases.Zip(outcomes))
        {
            if (!outcome.IsGood()) throw new FailedException($"a golden of {golden.Prompt.Count} tokens: {outcome.Problem()}");
            comparison.Add(golden,
                new ProbeAnswer(outcome.Logits, outcome.Top.Ids, outcome.Top.LogProbs, outcome.Ids, outcome.PromptIds, outcome.Text));
        }
        return comparison.Result;
    }

    private static void Write(Shell shell, RunSettings settings, VerifyResult result)
    {
        shell.Out.WriteLine($"{settings.Options.Model}: {result.Cases} cases, {string.Join(", ", result.Compared)} compared, "
            + $"{settings.Layout}");
        if (result.Compared.Contains("logits", StringComparer.Ordinal))
            shell.Out.WriteLine($"largest difference: logits {result.MaxAbsLogitDiff:G3}, log-probabilities "
                + $"{result.MaxAbsLogprobDiff:G3} (tolerance {result.Tolerance:G3})");
        shell.Out.WriteLine($"greedy tokens: {(result.GreedyMatch ? "all equal" : "not equal")}");
        if (result.FirstDifference is { } first) shell.Out.WriteLine($"first difference: {first}");
        shell.Out.WriteLine(result.Passed ? "passed" : "NOT passed");
    }
}
