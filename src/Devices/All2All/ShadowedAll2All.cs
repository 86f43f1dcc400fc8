using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>Where a strategy's output first differed from the fallback's, in the rows of this rank.</summary>
/// <param name="Strategy">Whose output it is.</param>
/// <param name="At">Step and layer.</param>
/// <param name="Row">The row of this rank's batch.</param>
/// <param name="Value">Which of the row's H values.</param>
/// <param name="Got">What the strategy made of it.</param>
/// <param name="Wanted">What the fallback did.</param>
public sealed record RowMismatch(string Strategy, StepPoint At, int Row, int Value, float Got, float Wanted);

/// <summary>
/// A strategy whose every dispatch and combine is also done by the fallback, over a window of its own, and compared bit for bit. All ranks
/// of the group use it for the same steps. To its caller it is one exchange: the handle has the rows that the strategy brought, then the
/// same ones again as the fallback brought them, so that experts run over both without knowing. The output is always the fallback's, so
/// that a step goes right whatever the strategy did.
/// </summary>
/// <remarks>Costs one more exchange and as many expert rows again; the step's path allocates nothing unless rows differ.</remarks>
public sealed class ShadowedAll2All : IAll2All, ITiles
{
    private readonly IAll2All _fallback;
    private readonly DispatchHandle _handle;
    private readonly NativeBuffer _output; // [T, H] of the strategy
    private readonly int _hidden;
    private IAll2All _strategy;
    private DispatchHandle _rows = null!, _again = null!;
    private StepPoint _at;
    private int _tokens;

    /// <summary>
    /// Shadows by <paramref name="fallback"/>, which is borrowed and must have a window apart from the strategies'.
    /// </summary>
    public ShadowedAll2All(IAll2All fallback, All2AllShape shape, int members)
    {
        (_fallback, _strategy, _hidden) = (fallback, fallback, shape.Hidden);
        _handle = new DispatchHandle(this, 2 * members * shape.MaxTokens, shape);
        _output = NativeBuffer.OfFloats((long)shape.MaxTokens * shape.Hidden);
    }

    /// <inheritdoc/>
    public string Name => _strategy.Name;

    /// <summary>Of both exchanges; of the strategy that is shadowed now.</summary>
    public long BytesToOthers => _strategy.BytesToOthers + _fallback.BytesToOthers;

    /// <summary>The first difference since <see cref="Over"/>; null for none.</summary>
    public RowMismatch? Mismatch { get; private set; }

    /// <summary>Shadows this strategy from here on. Between exchanges only.</summary>
    public ShadowedAll2All Over(IAll2All strategy)
    {
        (_strategy, Mismatch) = (strategy, null);
        return this;
    }

    /// <inheritdoc/>
    public void PostDispatch(StepPoint at, HiddenRows hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens,
        bool leave = false)
    {
        (_at, _tokens) = (at, tokens);
        _strategy.PostDispatch(at, hidden, experts, weights, tokens, leave);
        _fallback.PostDispatch(at, hidden, experts, weights, tokens, leave);
    }

    /// <inheritdoc/>
    public DispatchHandle WaitDispatch()
    {
        (_rows, _again) = (_strategy.WaitDispatch(), _fallback.WaitDispatch());
        _handle.Open();
        _handle.Add(_rows);
        _handle.Add(_again);
        _handle.Settle(0, _handle.Rows, _again.Verdict);
        return _handle;
    }

    /// <inheritdoc/>
    public void PostCombine(StepPoint at, DispatchHandle handle)
    {
        if (handle != _handle) throw new ArgumentException("this handle comes from another strategy", nameof(handle));
        handle.Consume();
        _strategy.PostCombine(at, _rows);
        _fallback.PostCombine(at, _again);
    }

    /// <inheritdoc/>
    public void WaitCombine(Span<float> output)
    {
        Span<float> got = _output.Floats(_tokens * _hidden);
        _strategy.WaitCombine(got);
        _fallback.WaitCombine(output);
        int same = MemoryMarshal.AsBytes(got).CommonPrefixLength(MemoryMarshal.AsBytes(output[..got.Length])) / sizeof(float);
        if (same < got.Length) Differs(same, got[same], output[same]);
    }

    /// <inheritdoc/>
    public void WaitCombine(Span<ushort> output)
    {
        Span<ushort> got = MemoryMarshal.Cast<float, ushort>(_output.Floats(_tokens * _hidden))[..(_tokens * _hidden)];
        _strategy.WaitCombine(got);
        _fallback.WaitCombine(output);
        int same = got.CommonPrefixLength(output[..got.Length]);
        if (same < got.Length) Differs(same, RowCodec.Widen(got[same]), RowCodec.Widen(output[same]));
    }

    /// <inheritdoc/>
    int ITiles.Arrived(int row)
    {
        if (row < _rows.Rows) return _rows.Await(row);
        return _rows.Rows + _again.Await(row - _rows.Rows);
    }

    /// <inheritdoc/>
    void ITiles.Finished(int end)
    {
        _rows.Done(Math.Min(end, _rows.Rows));
        if (end > _rows.Rows) _again.Done(end - _rows.Rows);
    }

    /// <summary>Gives its own memory back; the fallback and the strategies are their owner's.</summary>
    public void Dispose() => _output.Dispose();

    private void Differs(int at, float got, float wanted) =>
        Mismatch ??= new RowMismatch(_strategy.Name, _at, at / _hidden, at % _hidden, got, wanted);
}
