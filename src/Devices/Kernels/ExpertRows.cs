using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels;

/// <summary>The weights of the experts that live on this rank, in ascending order of their ids. H hidden, I intermediate.</summary>
public sealed class ExpertWeights
{
    /// <summary>Puts the experts' matrices side by side. gate, up: [I, H] each; down: [H, I] each.</summary>
    /// <exception cref="ArgumentException">The lists differ in length.</exception>
    public ExpertWeights(Weight[] gate, Weight[] up, Weight[] down)
    {
        if (gate.Length != up.Length || gate.Length != down.Length)
            throw new ArgumentException($"each expert has three matrices, got {gate.Length} gate, {up.Length} up, {down.Length} down");
        (Gate, Up, Down) = (Pin(gate), Pin(up), Pin(down));
    }

    /// <summary>How many experts are here.</summary>
    public int Count => Gate.Length;

    /// <summary>I: outputs of gate and up; 0 without experts.</summary>
    public int Inner => Count == 0 ? 0 : Gate[0].Rows;

    /// <summary>[I, H] each.</summary>
    public Weight[] Gate { get; }

    /// <summary>[I, H] each.</summary>
    public Weight[] Up { get; }

    /// <summary>[H, I] each.</summary>
    public Weight[] Down { get; }

    /// <summary>Biases and the limits of the activation, in families that have them.</summary>
    public BiasedExperts? Biased { get; init; }

    /// <summary>Values of room that a kernel takes for each pair of row and expert.</summary>
    public int Room => Count == 0 ? 0 : RoomOf(Inner, Gate[0].Columns, Biased is not null);

    /// <summary>The same before there are weights.</summary>
    public static int RoomOf(int inner, int width, bool biased) => biased ? 2 * (inner + width) : inner;

    // Kernels hand addresses of these to other threads: pinned for good.
    private static Weight[] Pin(Weight[] weights)
    {
        Weight[] pinned = GC.AllocateArray<Weight>(weights.Length, pinned: true);
        weights.CopyTo(pinned, 0);
        return pinned;
    }
}

/// <summary>
/// What experts have in families with biases: gate and up are limited and joined as (up + 1) gate / (1 + exp(-alpha gate)), gate at most
/// limit and up in [-limit, limit]. (gpt-oss, OpenAI 2025)
/// </summary>
/// <param name="Gate">[1, I] of each expert.</param>
/// <param name="Up">[1, I] of each expert.</param>
/// <param name="Down">[1, H] of each expert.</param>
/// <param name="Alpha">How steep the gate is.</param>
/// <param name="Limit">The bound of gate and up.</param>
public sealed record BiasedExperts(Weight[] Gate, Weight[] Up, Weight[] Down, float Alpha, float Limit);

/// <summary>
/// Which rows go to which local expert: the pairs (row, expert) sorted by expert, rows ascending within one. Made once for the largest call
/// and filled again for each.
/// </summary>
public sealed class ExpertRows
{
    private readonly int[] _localOf;
    private readonly int[] _offsets, _active, _rows;
    private readonly float[] _weights;

    /// <summary>Room for the pairs of at most some rows.</summary>
    /// <param name="localOf">[E] the local index of each expert of the model, -1 where it lives elsewhere.</param>
    /// <param name="local">Local experts.</param>
    /// <param name="maxPairs">The most pairs of a call: rows x min(K, local experts).</param>
    public ExpertRows(int[] localOf, int local, int maxPairs)
    {
        _localOf = localOf;
        _offsets = GC.AllocateArray<int>(local + 2, pinned: true);
        _active = GC.AllocateArray<int>(local, pinned: true);
        _rows = GC.AllocateArray<int>(maxPairs, pinned: true);
        _weights = GC.AllocateArray<float>(maxPairs, pinned: true);
    }

    /// <summary>Local experts.</summary>
    public int Experts => _active.Length;

    /// <summary>Pairs in this call.</summary>
    public int Pairs { get; private set; }

    /// <summary>Local indexes of the experts that have rows, ascending.</summary>
    public ReadOnlySpan<int> Active => _active.AsSpan(0, ActiveCount);

    /// <summary>[Experts + 1] the first pair of each expert.</summary>
    public ReadOnlySpan<int> Offsets => _offsets.AsSpan(0, Experts + 1);

    /// <summary>[Pairs] the row of each pair.</summary>
    public ReadOnlySpan<int> Rows => _rows.AsSpan(0, Pairs);

    /// <summary>[Pairs] the router's weight of each pair.</summary>
    public ReadOnlySpan<float> Weights => _weights.AsSpan(0, Pairs);

    private int ActiveCount { get; set; }

    /// <summary>Sorts the choices of a call. experts, weights: [N, K]; -1 is a masked choice.</summary>
    /// <exception cref="ArgumentException">More pairs than there is room for, or an expert that the model lacks.</exception>
    public void Sort(ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int topK)
    {
        // Counting sort: offsets[e + 2] counts, its running sum makes offsets[e + 1] the next free place, and filling turns that into the
        // end.
        _offsets.AsSpan().Clear();
        Pairs = 0;
        foreach (int expert in experts)
        {
            if (expert >= _localOf.Length) throw new ArgumentException($"expert must be in [0, {_localOf.Length}), got {expert}");
            if (expert < 0 || _localOf[expert] < 0) continue;
            _offsets[_localOf[expert] + 2]++;
            Pairs++;
        }
        if (Pairs > _rows.Length) throw new ArgumentException($"{Pairs} pairs of row and expert, room for {_rows.Length}");
        ActiveCount = 0;
        for (int e = 0; e < Experts; e++)
        {
            if (_offsets[e + 2] > 0) _active[ActiveCount++] = e;
            _offsets[e + 2] += _offsets[e + 1];
        }
        for (int i = 0; i < experts.Length; i++)
        {
            if (experts[i] < 0 || _localOf[experts[i]] < 0) continue;
            int place = _offsets[_localOf[experts[i]] + 1]++;
            (_rows[place], _weights[place]) = (i / topK, weights[i]);
        }
    }
}
