using Troupe.Devices.All2All;
using Troupe.Devices.Tensors;

namespace Troupe.Cli.Measures;

/// <summary>
/// What one rank brings to each iteration, and what the generator says of all ranks. Rows lie in native memory as a model's do: bf16, or
/// fp32 where rows travel as fp32; so does the output.
/// </summary>
internal sealed unsafe class All2AllInput : IDisposable
{
    private const int Line = 64;
    private readonly NativeBuffer _rows, _output;
    private readonly sbyte[] _payload;      // [all tokens, H]
    private readonly int[] _ids;            // [all tokens, K]
    private readonly float[] _weights;      // [all tokens, K]
    private readonly int[] _starts;         // [R + 1] where each rank's tokens begin among all
    private readonly int _own;

    /// <summary>The input of a rank.</summary>
    public All2AllInput(All2AllCase shape, ulong seed, int ranks, int self)
    {
        Shape = shape;
        _starts = new int[ranks + 1];
        for (int rank = 0; rank < ranks; rank++) _starts[rank + 1] = _starts[rank] + shape.TokensOf(rank);
        (_own, OwnTokens) = (_starts[self], shape.TokensOf(self));
        var generator = new RoutingGenerator(seed, shape.Experts, shape.TopK, shape.Zipf);
        _payload = new sbyte[(long)Tokens * shape.Hidden];
        (_ids, _weights) = (new int[Tokens * shape.TopK], new float[Tokens * shape.TopK]);
        int[] raw = new int[shape.TopK];
        for (int at = 0; at < Tokens; at++)
        {
            (int rank, int token) = Name(at);
            generator.Payload(rank, token, _payload.AsSpan(at * shape.Hidden, shape.Hidden));
            generator.Route(rank, token, _ids.AsSpan(at * shape.TopK, shape.TopK), _weights.AsSpan(at * shape.TopK, shape.TopK), raw);
        }
        long values = (long)OwnTokens * shape.Hidden;
        (_rows, _output) = (new NativeBuffer(Math.Max(Line, values * ValueBytes)), new NativeBuffer(Math.Max(Line, values * ValueBytes)));
        ReadOnlySpan<sbyte> own = _payload.AsSpan(_own * shape.Hidden, (int)values);
        for (int i = 0; i < own.Length; i++)
        {
            if (IsBf16) ((ushort*)_rows.Data)[i] = Elements.ToBf16(own[i] / 64f);
            else ((float*)_rows.Data)[i] = own[i] / 64f;
        }
    }

    /// <summary>The shape.</summary>
    public All2AllCase Shape { get; }

    /// <summary>Tokens of all ranks together, which count rank by rank.</summary>
    public int Tokens => _starts[^1];

    /// <summary>Tokens of this rank (T).</summary>
    public int OwnTokens { get; }

    /// <summary>Where this rank's tokens begin among all.</summary>
    public int OwnStart => _own;

    /// <summary>Whether rows and output are bf16, not fp32.</summary>
    public bool IsBf16 => Shape.Rows != RowType.Fp32;

    /// <summary>The rows as the dispatch takes them: [T, H].</summary>
    public HiddenRows Rows => IsBf16 ? new ReadOnlySpan<ushort>(_rows.Data, OwnTokens * Shape.Hidden)
        : new ReadOnlySpan<float>(_rows.Data, OwnTokens * Shape.Hidden);

    /// <summary>The experts of this rank's tokens: [T, K].</summary>
    public ReadOnlySpan<int> Experts => _ids.AsSpan(_own * Shape.TopK, OwnTokens * Shape.TopK);

    /// <summary>Their weights: [T, K].</summary>
    public ReadOnlySpan<float> Weights => _weights.AsSpan(_own * Shape.TopK, OwnTokens * Shape.TopK);

    /// <summary>The output of bf16: [T, H].</summary>
    public Span<ushort> Halves => new(_output.Data, OwnTokens * Shape.Hidden);

    /// <summary>The output of fp32: [T, H].</summary>
    public Span<float> Floats => new(_output.Data, OwnTokens * Shape.Hidden);

    private int ValueBytes => IsBf16 ? sizeof(ushort) : sizeof(float);

    /// <summary>Which token of which rank stands at a place of all tokens.</summary>
    public (int Rank, int Token) Name(int at)
    {
        int rank = 0;
        while (_starts[rank + 1] <= at) rank++;
        return (rank, at - _starts[rank]);
    }

    /// <summary>The row of a token as the generator makes it, in 64ths: [H].</summary>
    public ReadOnlySpan<sbyte> Payload(int at) => _payload.AsSpan(at * Shape.Hidden, Shape.Hidden);

    /// <summary>The experts of a token, with their weights: [K] each.</summary>
    public ReadOnlySpan<int> ExpertsOf(int at, out ReadOnlySpan<float> weights)
    {
        weights = _weights.AsSpan(at * Shape.TopK, Shape.TopK);
        return _ids.AsSpan(at * Shape.TopK, Shape.TopK);
    }

    /// <summary>
    /// Writes the rows again, the same values: afterwards their lines are this core's, and changed, as a layer leaves them.
    /// </summary>
    public void Rewrite()
    {
        byte* end = _rows.Data + _rows.Bytes - sizeof(long);
        for (byte* at = _rows.Data; at <= end; at += Line) Volatile.Write(ref *(long*)at, Volatile.Read(ref *(long*)at));
    }

    /// <summary>Makes every value of the output NaN.</summary>
    public void ClearOutput() => new Span<byte>(_output.Data, checked((int)_output.Bytes)).Fill(0xFF);

    /// <inheritdoc/>
    public void Dispose()
    {
        _rows.Dispose();
        _output.Dispose();
    }
}
