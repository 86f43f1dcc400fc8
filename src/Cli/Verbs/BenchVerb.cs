using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Hosting;
using Troupe.Actors.Planning;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Cli.Input;
using Troupe.Cli.Measures;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;

namespace Troupe.Cli.Verbs;

/// <summary>troupe bench generate: how fast a layout prefills and decodes.</summary>
internal static class BenchVerb
{
    private const int WarmUpTokens = 32, RandomSeed = 1;
    private static readonly SamplingSpec Greedy = new(0, 0, 1, 0, 1, 0);

    /// <summary>Makes the verb.</summary>
    public static Command Create(Shell shell)
    {
        Option<string?> synthetic = Opt.OptionalText("--synthetic", "CONFIG.json", "Random weights of this shape, in place of --model");
        Option<int> prompt = Opt.Int("--prompt-tokens", "Tokens of each prompt, at random", 1, int.MaxValue, 128);
        Option<int> maxTokens = Opt.Int("--max-tokens", "Tokens to generate for each prompt", 2, int.MaxValue, 64);
        Option<int> sequences = Opt.Int("--sequences", "Prompts that are submitted at once", 1, 4096, 1);
        var model = new ModelOptions();
        var verb = new Verb("generate", "Measures prefill and decode of whole requests, from the client's side",
            "./troupe bench generate --threads 2 --prompt-tokens 128 --max-tokens 128")
        {
            Details = "One batch warms up, the next is measured. Prefill lasts until each prompt has its first token, decode from there "
                + "to the end.",
        };
        verb.Add(new OwnOptions(synthetic, prompt, maxTokens, sequences));
        verb.Add(model);
        verb.Runs(async (parsed, stop) =>
        {
            RunSettings settings = model.Read(parsed, shell.Warn);
            if (parsed.GetValue(synthetic) is { } config)
                settings = settings with { Options = settings.Options with { Model = Models.SyntheticName(config) } };
            var load = new Load(parsed.GetValue(prompt), parsed.GetValue(maxTokens), parsed.GetValue(sequences));
            BenchResult result = await RunAsync(shell, settings, load, verb.Output.Verbose(parsed), stop);
            if (verb.Output.Json(parsed)) shell.Out.WriteLine(JsonSerializer.Serialize(result, CliJson.Default.BenchResult));
            else Write(shell, result);
            return ExitCode.Done;
        });
        return new Command("bench", "Measures: generate, all2all") { verb, BenchAll2AllVerb.Create(shell) };
    }

    private sealed record Load(int PromptTokens, int MaxTokens, int Sequences);

    private static async Task<BenchResult> RunAsync(Shell shell, RunSettings settings, Load load, bool verbose, CancellationToken stop)
    {
        ModelSource model = Models.Find(settings.Options.Model);
        if ((long)load.PromptTokens + load.MaxTokens > model.Config.MaxPositions)
            throw new UsageException(
                $"--prompt-tokens {load.PromptTokens} + --max-tokens {load.MaxTokens} = {(long)load.PromptTokens + load.MaxTokens}, "
                + $"but the model's context holds {model.Config.MaxPositions}");
        await using LocalCluster cluster = await LocalCluster.StartAsync(shell, settings, model, verbose, stop);
        await MeasureAsync(shell, cluster, load with { MaxTokens = Math.Min(load.MaxTokens, WarmUpTokens) }, stop);
        long stepsBefore = (await cluster.Client.StatusAsync()).Step;
        (GenerationClock clock, RequestOutcome[] outcomes) = await MeasureAsync(shell, cluster, load, stop);
        StatusReport status = await cluster.Client.StatusAsync();
        long peak = status.Ranks.Select(PeakRss).Max();
        // Last, since it takes memory that is not the ranks'.
        double bandwidth = MemoryBandwidth.Measure(Math.Min(Environment.ProcessorCount, settings.Options.Threads * settings.Layout.Ranks),
            shell.Clock);
        long weightBytes = ActiveWeights.Bytes(model.Config);
        return new BenchResult(
            Round((double)load.PromptTokens * load.Sequences / clock.PrefillSeconds), Round(clock.DecodedTokens / clock.DecodeSeconds),
                load.Sequences,
            settings.Layout.Ranks, settings.Options.Threads, settings.Options.Weights.ToString() is "AsStored" ? "as-stored" : "other",
            peak, Round(cluster.LoadSeconds), Math.Round(bandwidth), weightBytes,
            Breakdown(status, stepsBefore, outcomes), settings.Options.Model, settings.Layout.ToString(), status.Fabric, load.PromptTokens,
                load.MaxTokens,
            Round(outcomes.Average(o => o.Milliseconds.Queue + o.Milliseconds.Prefill)), Round(bandwidth / weightBytes))
        {
            MetadataRoundUs = status.Schedulers.Max(s => s.MetadataRoundUs) is { } round ? Round(round) : null,
        };
    }

    private static async Task<(GenerationClock Clock, RequestOutcome[] Outcomes)> MeasureAsync(Shell shell, LocalCluster cluster,
        Load load, CancellationToken stop)
    {
        var random = new Random(RandomSeed);
        RequestSpec[] requests = [.. Enumerable.Range(0, load.Sequences).Select(_ => new RequestSpec(Prompt.NewId(), null,
            [.. Enumerable.Range(0, load.PromptTokens).Select(_ => random.Next(cluster.Model.Config.VocabSize))], load.MaxTokens, Greedy,
                [], true, SequenceMode.Generate))];
        var clock = new GenerationClock(load.Sequences, shell.Clock);
        IReadOnlyList<RequestOutcome> outcomes =
            await Batch.RunAsync(shell, cluster.Client, requests, e => clock.On(e.Index, e.Tokens), stop);
        if (outcomes.FirstOrDefault(o => !o.IsGood()) is { } bad) throw new FailedException($"a sequence failed: {bad.Problem()}");
        return (clock, [.. outcomes]);
    }

    /// <summary>A decode step as its client saw it, and what of it dispatch and combine of a stage took by themselves.</summary>
    private static Dictionary<string, double> Breakdown(StatusReport status, long stepsBefore, RequestOutcome[] outcomes)
    {
        double[] exchange = [.. status.Recent.Where(s => s.Step > stepsBefore && s.Kind == "decode" && s.MeasuredUs is > 0)
            .Select(s => s.MeasuredUs!.Value).Order()];
        double step = outcomes.Average(o => o.Milliseconds.Decode * 1000 / Math.Max(1, o.Ids.Count - 1));
        var parts = new Dictionary<string, double>(StringComparer.Ordinal) { ["step"] = Round(step) };
        if (exchange.Length == 0) return parts;
        double median = exchange[exchange.Length / 2];
        parts["dispatch_and_combine"] = Round(median);
        parts["other"] = Round(step - median);
        return parts;
    }

    private static long PeakRss(RankReport rank)
    {
        try
        {
            using var process = Process.GetProcessById(rank.Pid);
            return Math.Max(process.PeakWorkingSet64, rank.ResidentBytes);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return rank.ResidentBytes; // Of another host, or gone.
        }
    }

    private static void Write(Shell shell, BenchResult result)
    {
        shell.Out.WriteLine($"{result.Model}: {result.Layout}, {result.Threads} threads each, over {result.Fabric}");
        shell.Out.WriteLine($"{result.Sequences} sequences of {result.PromptTokens} + {result.MaxTokens} tokens, loaded in "
            + $"{result.LoadSeconds:0.0} s");
        shell.Out.WriteLine($"prefill {result.PrefillTokensPerSecond:0} tokens/s (first token after {result.FirstTokenMs:0} ms), decode "
            + $"{result.DecodeTokensPerSecond:0} tokens/s in total");
        shell.Out.WriteLine($"one sequence reads {result.WeightBytesPerToken / 1e6:0.0} MB of weights a token; at the "
            + $"{result.ReadBandwidthBytesPerSecond / 1e9:0.0} GB/s that "
            + $"were measured first, that is at most {result.MemoryBoundTokensPerSecond:0} tokens/s");
        IEnumerable<string> parts = result.StepBreakdownUs.Select(p => $"{p.Key.Replace('_', ' ')} {p.Value:0} µs");
        shell.Out.WriteLine($"a decode step: {string.Join(", ", parts)}"
            + (result.MetadataRoundUs is { } round ? $"; where it is planned, the plan comes {round:0} µs after the offer" : ""));
        shell.Out.WriteLine($"largest rank process: {result.PeakRssBytes >> 20} MiB");
    }

    private static double Round(double value) => double.IsFinite(value) ? Math.Round(value, 3) : 0;
}
