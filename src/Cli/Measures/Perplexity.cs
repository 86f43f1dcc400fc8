using Troupe.Actors.Reports;

namespace Troupe.Cli.Measures;

/// <summary>What eval perplexity prints. Expert load: the share of each expert by layer, empty for a dense layer.</summary>
internal sealed record PerplexityResult(
    double Perplexity, long ScoredTokens, double? ReferencePerplexity, IReadOnlyList<IReadOnlyList<double>> ExpertLoad,
    IReadOnlyDictionary<string, long> StrategiesUsed, int Windows, int Window, double Seconds, double? MaxExpertLoadDifference);

/// <summary>exp of the mean negative log-probability, summed in double.</summary>
internal sealed class Perplexity
{
    private double _sum;

    /// <summary>Tokens scored so far.</summary>
    public long Tokens { get; private set; }

    /// <summary>The perplexity of what was added; NaN while nothing was.</summary>
    public double Value => Math.Exp(-_sum / Tokens);

    /// <summary>Adds natural log-probabilities.</summary>
    public void Add(IEnumerable<float> logProbs)
    {
        foreach (float value in logProbs)
        {
            _sum += value;
            Tokens++;
        }
    }

    /// <summary>Cuts a text into windows of tokens, one after the other; a rest of one token cannot be scored and is left out.</summary>
    public static IEnumerable<ArraySegment<int>> Windows(int[] tokens, int window)
    {
        for (int at = 0; tokens.Length - at >= 2; at += window)
            yield return new ArraySegment<int>(tokens, at, Math.Min(window, tokens.Length - at));
    }
}

/// <summary>Puts together what each rank counted of its own rows.</summary>
internal static class ExpertShares
{
    /// <summary>Shares by layer and expert, [layers][experts]; they sum to 1 in each layer that was used.</summary>
    public static IReadOnlyList<IReadOnlyList<double>> Of(IEnumerable<ExpertLoadReport> ranks, int layers)
    {
        var counts = new long[layers][];
        foreach (ExpertLoadReport rank in ranks)
        {
            for (int i = 0; i < rank.Counts.Count && rank.FirstLayer + i < layers; i++)
            {
                long[] sum = counts[rank.FirstLayer + i] ??= new long[rank.Counts[i].Count];
                for (int expert = 0; expert < sum.Length; expert++) sum[expert] += rank.Counts[i][expert];
            }
        }
        return [.. counts.Select(Shares)];
    }

    /// <summary>The largest difference of two shares; null where the shapes differ.</summary>
    public static double? MaxDifference(IReadOnlyList<IReadOnlyList<double>> a, IReadOnlyList<IReadOnlyList<double>> b)
    {
        if (a.Count == 0 || a.Count != b.Count || a.Zip(b).Any(layer => layer.First.Count != layer.Second.Count)) return null;
        return a.Zip(b).SelectMany(layer => layer.First.Zip(layer.Second, (x, y) => Math.Abs(x - y))).DefaultIfEmpty(0).Max();
    }

    private static double[] Shares(long[]? counts)
    {
        double total = counts?.Sum() ?? 0;
        return counts is null ? [] : [.. counts.Select(c => total > 0 ? c / total : 0)];
    }
}
