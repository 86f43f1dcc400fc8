using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Cli.Input;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;

namespace Troupe.Cli.Verbs;

/// <summary>troupe demo: a local cluster, a few prompts, what each step did and why.</summary>
internal static class DemoVerb
{
    private const int MaxTokens = 40, StepsShown = 12;
    private const double Temperature = 0.7;
    private static readonly TimeSpan Redraw = TimeSpan.FromMilliseconds(60);

    private static readonly string[] Prompts =
    [
        "ROMEO.\nBut, soft! what light", "HAMLET.\nTo be, or not to be,", "MACBETH.\nTomorrow, and tomorrow,", "JULIET.\nO Romeo, Romeo!",
    ];

    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var model = new ModelOptions(stages: 2, replicas: 2);
        var sampling = new SamplingOptions(MaxTokens, Temperature);
        var verb = new Verb("demo", "Starts a cluster of processes, completes a few prompts, and shows what each step did and why",
            "./troupe demo")
        {
            Details = "2 stages x 2 replicas with the sample model unless told otherwise.",
        };
        verb.Add(model);
        verb.Add(sampling);
        return verb.Runs(async (parsed, stop) =>
        {
            var demo = new Demo(shell, verb.Output.Json(parsed), shell.Clock.GetTimestamp());
            return await demo.RunAsync(model.Read(parsed, shell.Warn), sampling.Read(parsed), verb.Output.Verbose(parsed), stop);
        });
    }

    private sealed class Demo(Shell shell, bool json, long started)
    {
        private double _firstToken;

        public async Task<int> RunAsync(RunSettings settings, GenerationSettings generation, bool verbose, CancellationToken stop)
        {
            await using LocalCluster cluster = await LocalCluster.StartAsync(shell, settings, verbose, stop);
            double ready = Elapsed;
            string ranks = settings.InProcess ? $"{settings.Layout.Ranks} ranks, threads of this process"
                : $"{settings.Layout.Ranks} rank processes and a control node";
            if (!json) shell.Out.WriteLine($"{ranks} are ready after {ready:0.0} s: {settings.Options.Model}, {settings.Layout}\n");
            Prompt[] prompts = [.. Prompts.Select((text, i) => new Prompt($"prompt {i + 1}", text))];
            RequestSpec[] requests = [.. prompts.Select((p, i) => p.ToRequest(generation with
            {
                Sampling = generation.Sampling with { Seed = generation.Sampling.Seed + (ulong)i },
            }))];
            var log = new StepLog(cluster.Client, shell.Clock);
            IReadOnlyList<RequestOutcome> outcomes = await WatchAsync(cluster, prompts, requests, log, stop);
            StatusReport status = await log.LookAsync();
            List<MemberReport> members = await cluster.Client.MembersAsync();
            await cluster.DrainAsync();
            var result = new DemoResult([.. outcomes.Zip(prompts, (o, p) => o.ToResult(p.Text))], members, log.Steps,
                StepLog.Why(log.Steps),
                settings.Options.Model, settings.Layout.ToString(), status.Fabric, Round(ready), Round(_firstToken), Round(Elapsed));
            if (json) shell.Out.WriteLine(JsonSerializer.Serialize(result, CliJson.Default.DemoResult));
            else Write(result);
            if (outcomes.FirstOrDefault(o => !o.IsGood()) is { } bad)
                throw new FailedException($"a prompt was not completed: {bad.Problem()}");
            return ExitCode.Done;
        }

        private double Elapsed => shell.Clock.GetElapsedTime(started).TotalSeconds;

        private async Task<IReadOnlyList<RequestOutcome>> WatchAsync(
            LocalCluster cluster, Prompt[] prompts, RequestSpec[] requests, StepLog log, CancellationToken stop)
        {
            using var over = new CancellationTokenSource();
            if (!shell.OutIsTerminal || json)
            {
                var texts = new StreamedTexts(shell, prompts, requests);
                Task following = log.FollowAsync(null, over.Token);
                try
                {
                    return await Batch.RunAsync(shell, cluster.Client, requests, happened =>
                    {
                        Note(happened);
                        if (!json) texts.On(happened);
                    }, stop);
                }
                finally
                {
                    await over.CancelAsync();
                    await following;
                }
            }
            IReadOnlyList<RequestOutcome> outcomes = await WatchLiveAsync(cluster, prompts, requests, log, over, stop);
            foreach ((RequestOutcome outcome, Prompt prompt) in outcomes.Zip(prompts))
                shell.Out.WriteLine($"--- {outcome.Speed()}\n{prompt.Text}{outcome.Text}");
            return outcomes;
        }

        private async Task<IReadOnlyList<RequestOutcome>> WatchLiveAsync(
            LocalCluster cluster, Prompt[] prompts, RequestSpec[] requests, StepLog log, CancellationTokenSource over,
                CancellationToken stop)
        {
            var view = new DemoView(shell, [.. prompts.Select(p => p.Text)]);
            var live = new Spectre.Console.LiveDisplay(shell.Console(), view.Draw([])) { AutoClear = true };
            return await live.StartAsync(async context =>
            {
                long drawn = 0;
                Task following = log.FollowAsync(() => context.UpdateTarget(view.Draw(log.Steps)), over.Token);
                try
                {
                    return await Batch.RunAsync(shell, cluster.Client, requests, happened =>
                    {
                        Note(happened);
                        view.On(happened);
                        // A picture for each token would cost more than the token.
                        if (drawn != 0 && shell.Clock.GetElapsedTime(drawn) < Redraw) return;
                        drawn = shell.Clock.GetTimestamp();
                        context.UpdateTarget(view.Draw(log.Steps));
                    }, stop);
                }
                finally
                {
                    await over.CancelAsync();
                    await following;
                }
            });
        }

        private void Note(BatchEvent happened)
        {
            if (_firstToken == 0 && happened.Tokens > 0) _firstToken = Elapsed;
        }

        private void Write(DemoResult result)
        {
            int shown = Math.Min(StepsShown, result.Steps.Count);
            shell.Out.WriteLine($"\nSteps (the last {shown} of {(result.Steps is [.., var last] ? last.Step : 0)}; rows by replica, µs "
                + "of all dispatch and combine of a stage):");
            StatusTables.Steps(result.Steps.TakeLast(StepsShown)).WriteTo(shell);
            shell.Out.WriteLine("\nMembers:");
            StatusTables.Members(result.Members).WriteTo(shell);
            shell.Out.WriteLine("\nWhy each strategy was picked:");
            foreach (WhyResult why in result.Why) shell.Out.WriteLine($"  {why.Strategy} in {why.Steps} {why.Kind} steps: {why.Reason}");
            int tokens = result.Outcomes.Sum(o => o.Ids.Count);
            shell.Out.WriteLine($"\n{tokens} tokens; start to first token {result.FirstTokenSeconds:0.0} s, in total "
                + $"{result.TotalSeconds:0.0} s.");
            shell.Out.WriteLine("Next: ./troupe up, and in another terminal ./troupe submit \"ROMEO.\" and ./troupe watch; or ./troupe "
                + "generate \"ROMEO.\" --stages 3");
        }

        private static double Round(double value) => Math.Round(value, 3);
    }
}
