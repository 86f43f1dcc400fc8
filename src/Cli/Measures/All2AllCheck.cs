using Troupe.Devices.All2All;
using Troupe.Devices.Tensors;

namespace Troupe.Cli.Measures;

/// <summary>
/// Compares what a strategy delivered with the generator. Rows of fp32 and bf16 must be equal bit for bit; int8 may differ by half a step
/// of the largest scale there is, fp8 by a 16th. Every row that has an expert here must have come once, with its experts and weights. The
/// combined output must be the input: fp32 within 1e-5, else 2^-6 of the value, plus what the row type rounds.
/// </summary>
/// <param name="input">What all ranks sent.</param>
/// <param name="strategy">Its name, for errors.</param>
/// <param name="self">This rank.</param>
/// <param name="first">The first expert of this rank.</param>
/// <param name="count">Its experts, which follow each other.</param>
internal sealed unsafe class All2AllCheck(All2AllInput input, string strategy, int self, int first, int count)
{
    // The largest magnitude of a value is 128 / 64, so that no scale is larger than 2/127 and 2/448.
    private const float Int8Step = 2f / 127, Fp8Step = 2f / 448, Fp8Mantissa = 1f / 16, Slack = 1.0001f;
    private readonly float[] _row = new float[input.Shape.Hidden];

    /// <summary>Checks the rows of a dispatch; all of them must be readable.</summary>
    /// <exception cref="CheckFailedException">Names strategy, rank and token.</exception>
    public void Rows(DispatchHandle handle)
    {
        bool[] seen = new bool[input.Tokens];
        for (int row = 0, near = 0; row < handle.Rows; row++)
        {
            handle.Decode(row, row + 1, _row);
            int at = Find(handle.Type, near);
            if (at < 0) throw Nearest(handle.Type, row);
            if (seen[at]) throw Wrong(at, "came twice");
            seen[at] = true;
            near = at + 1;
            Slots(handle, row, at);
        }
        for (int at = 0; at < seen.Length; at++)
            if (!seen[at] && Locals(at) > 0) throw Wrong(at, $"did not come, though {Locals(at)} of its experts live here");
    }

    /// <summary>Checks the combined output of this rank's tokens.</summary>
    /// <exception cref="CheckFailedException">Names strategy, rank and token.</exception>
    public void Output()
    {
        int hidden = input.Shape.Hidden;
        for (int token = 0; token < input.OwnTokens; token++)
        {
            int at = input.OwnStart + token;
            ReadOnlySpan<sbyte> wanted = input.Payload(at);
            for (int h = 0; h < hidden; h++)
            {
                float want = wanted[h] / 64f;
                float got = input.IsBf16 ? Elements.FromBf16(input.Halves[token * hidden + h]) : input.Floats[token * hidden + h];
                bool near = MathF.Abs(got - want) <= OutputTolerance(want); // false for NaN
                if (!near) throw Wrong(at, $"was combined wrong: value {h} is {got}, want {want}");
            }
        }
    }

    private static float RowTolerance(RowType type, float want) => type switch
    {
        RowType.Int8 => Int8Step / 2 * Slack,
        RowType.Fp8 => (MathF.Abs(want) * Fp8Mantissa + Fp8Step / 1024) * Slack,
        _ => 0,
    };

    private float OutputTolerance(float want)
    {
        RowType type = input.Shape.Rows;
        return RowTolerance(type, want) + MathF.Abs(want) * (type == RowType.Fp32 ? 1e-5f : 1f / 64) + 1e-6f;
    }

    /// <summary>The token whose row this is; rows mostly come in the order of their tokens.</summary>
    private int Find(RowType type, int near)
    {
        for (int i = 0; i < input.Tokens; i++)
        {
            int at = (near + i) % input.Tokens;
            if (FirstDifference(type, at) < 0) return at;
        }
        return -1;
    }

    private int FirstDifference(RowType type, int at)
    {
        ReadOnlySpan<sbyte> wanted = input.Payload(at);
        for (int h = 0; h < wanted.Length; h++)
            if (Differs(type, _row[h], wanted[h] / 64f)) return h;
        return -1;
    }

    private static bool Differs(RowType type, float got, float want) => type is RowType.Fp32 or RowType.Bf16
        ? BitConverter.SingleToInt32Bits(got) != BitConverter.SingleToInt32Bits(want)
        : !(MathF.Abs(got - want) <= RowTolerance(type, want));

    /// <summary>What to say of a row that nobody sent: the token whose row is most like it.</summary>
    private CheckFailedException Nearest(RowType type, int row)
    {
        int best = 0, most = -1;
        for (int at = 0; at < input.Tokens; at++)
        {
            ReadOnlySpan<sbyte> wanted = input.Payload(at);
            int equal = 0;
            for (int h = 0; h < wanted.Length; h++)
                if (!Differs(type, _row[h], wanted[h] / 64f)) equal++;
            if (equal > most) (best, most) = (at, equal);
        }
        int h0 = FirstDifference(type, best);
        return Wrong(best, $"came wrong (row {row}): value {h0} is {_row[h0]}, want {input.Payload(best)[h0] / 64f}; "
            + $"{_row.Length - most} of {_row.Length} values differ");
    }

    private void Slots(DispatchHandle handle, int row, int at)
    {
        int slots = handle.Slots(row, out int* experts, out float* weights), local = 0;
        ReadOnlySpan<int> wanted = input.ExpertsOf(at, out ReadOnlySpan<float> shares);
        for (int slot = 0; slot < slots; slot++)
        {
            if (experts[slot] < 0) continue;
            if (!IsLocal(experts[slot]))
                throw Wrong(at, $"came for expert {experts[slot]}, which lives elsewhere: here are [{first}, {first + count})");
            int k = wanted.IndexOf(experts[slot]);
            if (k < 0 || BitConverter.SingleToInt32Bits(shares[k]) != BitConverter.SingleToInt32Bits(weights[slot]))
                throw Wrong(at, $"came for expert {experts[slot]} with weight {weights[slot]}, want {(k < 0 ? "none" : $"{shares[k]}")}");
            local++;
        }
        if (local != Locals(at)) throw Wrong(at, $"came for {local} experts, want {Locals(at)}");
    }

    private int Locals(int at)
    {
        int local = 0;
        foreach (int expert in input.ExpertsOf(at, out _)) local += IsLocal(expert) ? 1 : 0;
        return local;
    }

    private bool IsLocal(int expert) => (uint)(expert - first) < (uint)count;

    private CheckFailedException Wrong(int at, string what)
    {
        (int rank, int token) = input.Name(at);
        return new CheckFailedException($"check failed at rank {self}: {strategy}, {input.Shape}: token {token} of rank {rank} {what}");
    }
}
