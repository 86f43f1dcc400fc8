using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>
/// Which row of this rank goes to which member, decided from its experts. owners: [E] where each expert's rows of this rank go.
/// </summary>
internal sealed unsafe class RowRouting(int[] owners, int members, All2AllShape shape, Traits traits)
{
    private readonly int[] _place = new int[shape.MaxTokens * members];    // [T, R] slot at the member, -1 for none
    private readonly int[] _tokens = new int[members * shape.MaxTokens];   // [R, T] tokens by slot
    private readonly int[] _counts = new int[members];
    private readonly int[] _next = new int[owners.Length + 1], _sorted = new int[shape.MaxTokens];
    private readonly int[] _trailer = new int[2 + (2 * shape.TopK) + (All2AllWindow.Line / sizeof(int))]; // and the rest of its last line

    /// <summary>Rows of this rank.</summary>
    public int Tokens { get; private set; }

    /// <summary>Rows that go to a member.</summary>
    public int Count(int member) => _counts[member];

    /// <summary>The tokens of a member's rows, by slot.</summary>
    public ReadOnlySpan<int> TokensOf(int member) => _tokens.AsSpan(member * shape.MaxTokens, _counts[member]);

    /// <summary>A token's slot at a member, -1 if it does not go there.</summary>
    public int Slot(int token, int member) => _place[token * members + member];

    /// <summary>Decides. experts: [T, K], checked here.</summary>
    public void Route(ReadOnlySpan<int> experts, int tokens)
    {
        Tokens = tokens;
        Array.Clear(_counts);
        _place.AsSpan(0, tokens * members).Fill(-1);
        for (int token = 0; token < tokens; token++)
        {
            if (traits.AllRows)
            {
                for (int member = 0; member < members; member++) Give(token, member);
                continue;
            }
            foreach (int expert in experts.Slice(token * shape.TopK, shape.TopK))
            {
                if (expert < 0) continue;
                if ((uint)expert >= (uint)owners.Length)
                    throw new ArgumentOutOfRangeException(nameof(experts), $"expert must be in [0, {owners.Length}), got {expert}");
                Give(token, owners[expert]);
            }
        }
        if (traits.GroupByExpert)
            for (int member = 0; member < members; member++) Group(member, experts);
    }

    /// <summary>Writes the experts and weights of a member's rows behind them; trailers are <paramref name="stride"/> bytes
    /// apart. Where another core's memory is addressed directly, <paramref name="streamed"/> is the room of a trailer.</summary>
    public void WriteTrailers(int member, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, byte* to, int stride,
        int streamed = 0)
    {
        fixed (int* room = _trailer)
        {
            foreach (int token in TokensOf(member))
            {
                int* trailer = streamed > 0 ? room : (int*)to;
                float* shares = (float*)(trailer + 1 + shape.TopK);
                int count = 0;
                for (int k = token * shape.TopK; k < (token + 1) * shape.TopK; k++)
                {
                    int expert = experts[k];
                    if (expert < 0 || (uint)expert >= (uint)owners.Length || owners[expert] != member) continue;
                    (trailer[1 + count], shares[count]) = (expert, weights[k]);
                    count++;
                }
                trailer[0] = count;
                trailer[1 + 2 * shape.TopK] = token;
                if (streamed > 0) Streamed.Copy((byte*)trailer, to, streamed);
                to += stride;
            }
        }
    }

    /// <summary>Orders a member's rows by the lowest of its experts that they need; a stable counting sort.</summary>
    private void Group(int member, ReadOnlySpan<int> experts)
    {
        Span<int> tokens = _tokens.AsSpan(member * shape.MaxTokens, _counts[member]);
        Array.Clear(_next);
        foreach (int token in tokens) _next[Lowest(token, member, experts) + 1]++;
        for (int e = 1; e < _next.Length; e++) _next[e] += _next[e - 1];
        tokens.CopyTo(_sorted);
        for (int i = 0; i < tokens.Length; i++)
        {
            int token = _sorted[i], place = _next[Lowest(token, member, experts)]++;
            tokens[place] = token;
            _place[token * members + member] = place;
        }
    }

    private int Lowest(int token, int member, ReadOnlySpan<int> experts)
    {
        int lowest = int.MaxValue;
        foreach (int expert in experts.Slice(token * shape.TopK, shape.TopK))
            if (expert >= 0 && expert < lowest && owners[expert] == member) lowest = expert;
        return lowest;
    }

    private void Give(int token, int member)
    {
        ref int place = ref _place[token * members + member];
        if (place >= 0) return;
        place = _counts[member]++;
        _tokens[member * shape.MaxTokens + place] = token;
    }
}
