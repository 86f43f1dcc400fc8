using System.Globalization;
using Troupe.Actors.Planning;

namespace Troupe.Cli.Output;

/// <summary>Plans and suggestions for people: tables, and what does not fit in lines of their own.</summary>
internal static class PlanText
{
    private const double MiB = 1 << 20, KiB = 1 << 10, Million = 1e6;

    /// <summary>Writes a plan.</summary>
    public static void Write(Shell shell, PlanReport plan)
    {
        string made = plan.Split.Count == 0 ? "" : $", layers {string.Join('+', plan.Split)} by {By(plan)}, fabric {plan.Fabric}";
        shell.Out.WriteLine($"{plan.Model}: {plan.Layout}{made}");
        if (plan.Ranks.Count > 0)
        {
            Section(shell, "Who owns what, and the memory it takes:", Ranks(plan));
            Section(shell, "Memory of the hosts in MiB (weights that ranks map from one file count once):", Hosts(plan));
            Section(shell, "One step of all replicas, over links:", Steps(plan));
            shell.Out.WriteLine();
            if (plan.Pipeline is { } pipeline && plan.Stages > 1) Pipeline(shell, pipeline);
        }
        foreach (string note in plan.Notes) shell.Out.WriteLine($"note: {note}");
        foreach (string problem in plan.Problems) shell.Out.WriteLine($"does not fit: {problem}");
        if (plan.Fits) shell.Out.WriteLine("fits");
    }

    /// <summary>Writes suggestions.</summary>
    public static void Write(Shell shell, SuggestReport suggested)
    {
        shell.Out.WriteLine($"{suggested.Model} on {suggested.Ranks} ranks, {suggested.Requests} requests decoding, "
            + $"{N(suggested.ReadBytesPerSecond / 1e9, "0.#")} GB/s of weights a rank; all times are predicted:");
        var grid = new Grid("stages", "replicas", "tensor", "layers", "round µs", "step µs", "link KiB", "messages", "most MiB",
            "KV tokens", "why")
        {
            Numbers = ["stages", "replicas", "tensor", "round µs", "step µs", "link KiB", "messages", "most MiB", "KV tokens"],
            Clipped = "why",
        };
        foreach (PlanSuggestion s in suggested.Layouts)
        {
            bool made = s.Split.Count > 0;
            grid.Row($"{s.Stages}", $"{s.Replicas}", $"{s.Tensor}", string.Join('+', s.Split), made ? N(s.RoundUs, "0") : "-",
                made ? N(s.StepUs, "0") : "-", made ? N(s.LinkBytes / KiB, "0.0") : "-", made ? N(s.Messages, "0") : "-",
                made ? N(s.MostRankBytes / MiB, "0.0") : "-", made ? $"{s.KvTokens}" : "-", s.Fits ? s.Why : $"does not fit: {s.Why}");
        }
        grid.WriteTo(shell);
    }

    private static string By(PlanReport plan) => plan.SplitBy switch
    {
        "hand" => "hand",
        "profile" => "measured times",
        _ => "active parameters",
    };

    private static void Section(Shell shell, string title, Grid grid)
    {
        shell.Out.WriteLine();
        shell.Out.WriteLine(title);
        grid.WriteTo(shell);
    }

    private static Grid Ranks(PlanReport plan)
    {
        var grid = new Grid("rank", "host", "stage", "replica", "tensor", "layers", "experts", "heads", "KV heads", "active M",
            "weights MiB", "KV B/token", "KV MiB", "window MiB")
        {
            Numbers = ["rank", "stage", "replica", "tensor", "active M", "weights MiB", "KV B/token", "KV MiB", "window MiB"],
        };
        foreach (PlanRank r in plan.Ranks)
            grid.Row($"{r.Rank}", r.Host, $"{r.Stage}", $"{r.Replica}", $"{r.Tensor}", r.Layers, r.Experts.Length > 0 ? r.Experts : "-",
                r.QueryHeads, r.KvHeads, N(r.ActiveParameters / Million, "0.0"), N(r.WeightBytes / MiB, "0.0"), $"{r.KvBytesPerToken}",
                N(r.KvBytes / MiB, "0.0"), N(r.WindowBytes / MiB, "0.0"));
        return grid;
    }

    private static Grid Hosts(PlanReport plan)
    {
        var grid = new Grid("host", "ranks", "weights", "KV", "windows", "needs", "has")
        {
            Numbers = ["weights", "KV", "windows", "needs", "has"],
        };
        foreach (PlanHost h in plan.Hosts)
            grid.Row(h.Host, Runs(h.Ranks), N(h.WeightBytes / MiB, "0.0"), N(h.KvBytes / MiB, "0.0"), N(h.WindowBytes / MiB, "0.0"),
                N(h.NeedBytes / MiB, "0.0"), N(h.AvailableBytes / MiB, "0.0"));
        return grid;
    }

    private static Grid Steps(PlanReport plan)
    {
        var grid = new Grid("step", "rows", "strategy", "what", "link", "KiB", "messages") { Numbers = ["KiB", "messages"] };
        foreach (PlanStep step in plan.Steps)
        {
            string rows = $"{plan.Replicas} x {step.RowsPerReplica}";
            if (step.Links.Count == 0) grid.Row(step.Kind, rows, step.Strategy, "-", "-", "0.0", "0");
            foreach (PlanTraffic t in step.Links)
                grid.Row(step.Kind, rows, t.What is "dispatch" or "combine" ? step.Strategy : "-", t.What.Replace('_', ' '), t.Link,
                    N(t.Bytes / KiB, "0.0"), N(t.Messages, "0"));
        }
        return grid;
    }

    private static void Pipeline(Shell shell, PlanPipeline pipeline)
    {
        shell.Out.WriteLine($"bubble: stages wait {Percent(pipeline.DecodeBubble)} of steady decode with {pipeline.MicroBatches} "
            + "micro-batches");
        foreach (PlanBubble b in pipeline.Prefill)
            shell.Out.WriteLine($"bubble: stages wait {Percent(b.Bubble)} of a prompt of {b.Chunks} chunk{(b.Chunks == 1 ? "" : "s")} "
                + $"({Percent(b.IdealBubble)} with equal stages)");
    }

    /// <summary>Ascending numbers with their runs as ranges.</summary>
    private static string Runs(IReadOnlyList<int> numbers) => string.Join(',', numbers.Index().GroupBy(n => n.Item - n.Index)
        .Select(run => (First: run.First().Item, Last: run.Last().Item))
        .Select(run => run.First == run.Last ? $"{run.First}" : $"{run.First}-{run.Last}"));

    private static string Percent(double share) => N(100 * share, "0.0") + " %";

    private static string N(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
