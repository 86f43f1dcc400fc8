using System.CommandLine;
using Troupe.Actors.Client;
using Troupe.Actors.Hosting;
using Troupe.Actors.Protocols;
using Troupe.Cli.Input;
using Troupe.Cli.Measures;
using Troupe.Cli.Options;
using Troupe.Cli.Output;

namespace Troupe.Cli.Running;

/// <summary>What a benchmark of whole requests gives its cluster to do: random prompts, all at once.</summary>
internal sealed record BenchLoad(int PromptTokens, int MaxTokens, int Sequences)
{
    private const int WarmUpTokens = 32, RandomSeed = 1;
    private static readonly SamplingSpec Greedy = new(0, 0, 1, 0, 1, 0);

    /// <summary>The same, but short: to get the program warm.</summary>
    public BenchLoad WarmUp => this with { MaxTokens = Math.Min(MaxTokens, WarmUpTokens) };

    /// <summary>Refuses what does not fit the model's context.</summary>
    public void Check(ModelSource model)
    {
        if ((long)PromptTokens + MaxTokens > model.Config.MaxPositions)
            throw new UsageException($"--prompt-tokens {PromptTokens} + --max-tokens {MaxTokens} = {(long)PromptTokens + MaxTokens}, "
                + $"but the model's context holds {model.Config.MaxPositions}");
    }

    /// <summary>Runs it once.</summary>
    /// <exception cref="FailedException">A sequence failed.</exception>
    public async Task<(GenerationClock Clock, RequestOutcome[] Outcomes)> RunAsync(Shell shell, LocalCluster cluster,
        CancellationToken stop)
    {
        var random = new Random(RandomSeed);
        RequestSpec[] requests = [.. Enumerable.Range(0, Sequences).Select(_ => new RequestSpec(Prompt.NewId(), null,
            [.. Enumerable.Range(0, PromptTokens).Select(_ => random.Next(cluster.Model.Config.VocabSize))], MaxTokens, Greedy,
                [], true, SequenceMode.Generate))];
        var clock = new GenerationClock(Sequences, shell.Clock);
        IReadOnlyList<RequestOutcome> outcomes =
            await Batch.RunAsync(shell, cluster.Client, requests, e => clock.On(e.Index, e.Tokens), stop);
        if (outcomes.FirstOrDefault(o => !o.IsGood()) is { } bad) throw new FailedException($"a sequence failed: {bad.Problem()}");
        return (clock, [.. outcomes]);
    }
}

/// <summary>Options for a <see cref="BenchLoad"/> and the model that runs it.</summary>
internal sealed class BenchOptions : IOptions
{
    private readonly Option<string?> _synthetic =
        Opt.OptionalText("--synthetic", "CONFIG.json", "Random weights of this shape, in place of --model");
    private readonly Option<int> _prompt = Opt.Int("--prompt-tokens", "Tokens of each prompt, at random", 1, int.MaxValue, 128);
    private readonly Option<int> _maxTokens = Opt.Int("--max-tokens", "Tokens to generate for each prompt", 2, int.MaxValue, 64);
    private readonly Option<int> _sequences = Opt.Int("--sequences", "Prompts that are submitted at once", 1, 4096, 1);

    /// <inheritdoc/>
    public OptionGroup Group => field ??= new OptionGroup("Options", [_synthetic, _prompt, _maxTokens, _sequences]);

    /// <summary>What is to be run.</summary>
    public BenchLoad Load(ParseResult parsed) => new(parsed.GetValue(_prompt), parsed.GetValue(_maxTokens), parsed.GetValue(_sequences));

    /// <summary>The settings, with the synthetic model if one was asked for.</summary>
    public RunSettings Over(RunSettings settings, ParseResult parsed) => parsed.GetValue(_synthetic) is { } config
        ? settings with { Options = settings.Options with { Model = Models.SyntheticName(config) } } : settings;
}
