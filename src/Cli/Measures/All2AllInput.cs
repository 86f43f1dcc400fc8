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
    private readonly sbyte[] _payload;      // [R, T, H]
    private readonly int[] _ids;            // [R, T, K]
    private readonly float[] _weights;      // [R, T, K]
    private readonly int _ranks, _self;

    /// <summary>The input of a rank.</summary>
    public All2AllInput(All2AllCase shape, ulong seed, int ranks, int self)
    {
        (Shape, _ranks, _self) = (shape, ranks, self);
        var generator = new RoutingGenerator(seed, shape.Experts, shape.TopK, shape.Zipf);
        _payload = new sbyte[(long)ranks * shape.Tokens * shape.Hidden];
        (_ids, _weights) = (new int[ranks * shape.Tokens * shape.TopK], new float[ranks * shape.Tokens * shape.TopK]);
        int[] raw = new int[shape.TopK];
        for (int at = 0; at < Tokens; at++)
        {
            (int rank, int token) = Name(at);
            generator.Payload(rank, token, _payload.AsSpan(at * shape.Hidden, shape.Hidden));
            generator.Route(rank, token, _ids.AsSpan(at * shape.TopK, shape.TopK), _weights.AsSpan(at * shape.TopK, shape.TopK), raw);
        }
        long values = (long)shape.Tokens * shape.Hidden;
        (_rows, _output) = (new NativeBuffer(values * ValueBytes), new NativeBuffer(values * ValueBytes));
        ReadOnlySpan<sbyte> own = _payload.AsSpan(self * shape.Tokens * shape.Hidden, (int)values);
        for (int i = 0; i < own.Length; i++)
        {
            if (IsBf16) ((ushort*)_rows.Data)[i] = Elements.ToBf16(own[i] / 64f);
            else ((float*)_rows.Data)[i] = own[i] / 64f;
        }
    }

    /// <summary>The shape.</summary>
    public All2AllCase Shape { get; }

    /// <summary>Tokens of all ranks together (R T), which count rank by rank.</summary>
    public int Tokens => _ranks * Shape.Tokens;

    /// <summary>Whether rows and output are bf16, not fp32.</summary>
    public bool IsBf16 => Shape.Rows != RowType.Fp32;

    /// <summary>The rows as the dispatch takes them: [T, H].</summary>
    public HiddenRows Rows => IsBf16 ? new ReadOnlySpan<ushort>(_rows.Data, Shape.Tokens * Shape.Hidden)
        : new ReadOnlySpan<float>(_rows.Data, Shape.Tokens * Shape.Hidden);

    /// <summary>The experts of this rank's tokens: [T, K].</summary>
    public ReadOnlySpan<int> Experts => _ids.AsSpan(_self * Shape.Tokens * Shape.TopK, Shape.Tokens * Shape.TopK);

    /// <summary>Their weights: [T, K].</summary>
    public ReadOnlySpan<float> Weights => _weights.AsSpan(_self * Shape.Tokens * Shape.TopK, Shape.Tokens * Shape.TopK);

    /// <summary>The output of bf16: [T, H].</summary>
    public Span<ushort> Halves => new(_output.Data, Shape.Tokens * Shape.Hidden);

    /// <summary>The output of fp32: [T, H].</summary>
    public Span<float> Floats => new(_output.Data, Shape.Tokens * Shape.Hidden);

    private int ValueBytes => IsBf16 ? sizeof(ushort) : sizeof(float);

    /// <summary>Which token of which rank stands at a place of all tokens.</summary>
    public (int Rank, int Token) Name(int at) => (at / Shape.Tokens, at % Shape.Tokens);

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
