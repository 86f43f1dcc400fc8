using System.Globalization;

namespace Troupe.Devices.Topology;

/// <summary>How many consecutive layers each stage of a pipeline holds, at least one each. Equal splits are equal values.</summary>
public sealed class LayerSplit : IEquatable<LayerSplit>
{
    private readonly int[] _counts, _first;

    /// <summary>Takes the layers of each stage, in order.</summary>
    /// <exception cref="ArgumentException">No stage, or one without a layer.</exception>
    public LayerSplit(params IEnumerable<int> counts)
    {
        _counts = [.. counts];
        if (ProblemOf(_counts) is { } problem) throw new ArgumentException($"a split {problem}", nameof(counts));
        _first = new int[_counts.Length];
        for (int stage = 1; stage < _first.Length; stage++) _first[stage] = _first[stage - 1] + _counts[stage - 1];
    }

    /// <summary>Layers by stage.</summary>
    public IReadOnlyList<int> Counts => _counts;

    /// <summary>How many stages.</summary>
    public int Stages => _counts.Length;

    /// <summary>Layers of all stages.</summary>
    public int Layers => _first[^1] + _counts[^1];

    /// <summary>Layers of the stage that has most.</summary>
    public int Most => _counts.Max();

    /// <summary>The first layer of a stage.</summary>
    public LayerIndex First(int stage) => new(_first[stage]);

    /// <summary>The layers of a stage.</summary>
    public IEnumerable<LayerIndex> Of(int stage) => Enumerable.Range(_first[stage], _counts[stage]).Select(i => new LayerIndex(i));

    /// <summary>By count alone, as even as it comes: the first L mod stages have one more.</summary>
    public static LayerSplit Even(int layers, int stages) =>
        new(Enumerable.Range(0, stages).Select(stage => (layers / stages) + (stage < layers % stages ? 1 : 0)));

    /// <summary>
    /// The split whose dearest stage is as cheap as any split allows; among those the one with the least sum of squares, so that the other
    /// stages are alike as well; among those the one whose last stages are cheapest. Integers only, so that all nodes come to the same.
    /// <para>The least bound is found by bisection, each try filling stages from the front in O(L); the rest by dynamic programming over
    /// (stages, layers), where no stage may exceed the bound.</para>
    /// </summary>
    /// <param name="layers">What each layer costs, in any unit; at least 0.</param>
    /// <param name="embedding">What the first stage has in addition.</param>
    /// <param name="head">What the last stage has in addition.</param>
    /// <param name="stages">In [1, layers].</param>
    /// <exception cref="ArgumentException">Too many stages, or a cost below 0.</exception>
    public static LayerSplit Balanced(IReadOnlyList<long> layers, long embedding, long head, int stages)
    {
        if (stages < 1 || stages > layers.Count)
            throw new ArgumentException($"{stages} stages for {layers.Count} layers: each needs at least one", nameof(stages));
        if (embedding < 0 || head < 0 || layers.Any(cost => cost < 0)) throw new ArgumentException("a cost is below 0", nameof(layers));
        // Embedding and head go where the first and the last layer go.
        long[] costs = [.. layers];
        costs[0] += embedding;
        costs[^1] += head;
        var sums = new long[costs.Length + 1]; // of the layers before
        for (int i = 0; i < costs.Length; i++) sums[i + 1] = checked(sums[i] + costs[i]);
        return Smoothest(sums, stages, LeastBound(costs, sums[^1], stages));
    }

    /// <summary>Reads layers by stage as <c>10,14</c>.</summary>
    /// <returns>The split, or what is wrong with the text as the end of a sentence.</returns>
    public static (LayerSplit? Split, string? Problem) Parse(string text)
    {
        string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
        var counts = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out counts[i]))
                return (null, "must be numbers with commas between them, as 10,14");
        }
        return ProblemOf(counts) is { } problem ? (null, problem) : (new LayerSplit(counts), null);
    }

    /// <summary>What is wrong with it for this many layers and stages, in one line with the arithmetic, or null.</summary>
    public string? Problem(int layers, int stages) =>
        Stages != stages ? $"--split {ToText()} names {Stages} stage{(Stages == 1 ? "" : "s")}, but --stages is {stages}; give {stages} "
            + $"number{(stages == 1 ? "" : "s")} that add up to {layers}"
        : Layers != layers ? $"--split {ToText()}: {string.Join(" + ", _counts)} = {Layers} layers, but the model has {layers}"
        : null;

    /// <summary>As <see cref="Parse"/> reads it: <c>10,14</c>.</summary>
    public string ToText() => string.Join(',', _counts);

    /// <inheritdoc/>
    public override string ToString() => string.Join('+', _counts);

    /// <inheritdoc/>
    public bool Equals(LayerSplit? other) => other is not null && _counts.AsSpan().SequenceEqual(other._counts);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as LayerSplit);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (int count in _counts) hash.Add(count);
        return hash.ToHashCode();
    }

    private static string? ProblemOf(int[] counts)
    {
        if (counts.Length == 0) return "must name at least one stage";
        int empty = Array.FindIndex(counts, count => count < 1);
        if (empty >= 0) return $"gives stage {empty} no layer, and each stage needs at least one";
        return counts.Sum(c => (long)c) > int.MaxValue ? "names more layers than any model has" : null;
    }

    /// <summary>The least cost that no stage needs to exceed.</summary>
    private static long LeastBound(long[] costs, long total, int stages)
    {
        (long low, long high) = (costs.Max(), total);
        while (low < high)
        {
            long middle = low + ((high - low) / 2);
            if (Needs(costs, middle) <= stages) high = middle;
            else low = middle + 1;
        }
        return low;
    }

    /// <summary>Stages that are needed if none may exceed a bound. Fewer than there are is fine: a stage can be cut in two.</summary>
    private static int Needs(long[] costs, long bound)
    {
        (int stages, long filled) = (1, 0);
        foreach (long cost in costs)
        {
            if (cost > bound - filled) (stages, filled) = (stages + 1, 0);
            filled += cost;
        }
        return stages;
    }

    private static LayerSplit Smoothest(long[] sums, int stages, long bound)
    {
        int layers = sums.Length - 1;
        var best = new UInt128[stages + 1, layers + 1]; // the least sum of squares of the first layers in so many stages
        var start = new int[stages + 1, layers + 1];    // where the last of these stages starts; -1 for impossible
        for (int end = 0; end <= layers; end++) start[0, end] = end == 0 ? 0 : -1;
        for (int stage = 1; stage <= stages; stage++)
        {
            for (int end = 0; end <= layers; end++)
            {
                start[stage, end] = -1;
                for (int from = end - 1; from >= stage - 1 && sums[end] - sums[from] <= bound; from--)
                {
                    if (start[stage - 1, from] < 0) continue;
                    UInt128 cost = (UInt128)(sums[end] - sums[from]);
                    UInt128 squares = best[stage - 1, from] + (cost * cost);
                    if (start[stage, end] >= 0 && squares >= best[stage, end]) continue; // the shortest last stage wins
                    (best[stage, end], start[stage, end]) = (squares, from);
                }
            }
        }
        var counts = new int[stages];
        for (int stage = stages, end = layers; stage > 0; end = start[stage, end], stage--) counts[stage - 1] = end - start[stage, end];
        return new LayerSplit(counts);
    }
}
