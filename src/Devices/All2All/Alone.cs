using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.All2All;

/// <summary>
/// A group of one rank: nothing travels and nothing is rounded. Rows of fp32 are read where the caller has them, all its rows arrive.
/// </summary>
internal sealed unsafe class Alone : IAll2All
{
    private readonly All2AllShape _shape;
    private readonly DispatchHandle _handle;
    private readonly NativeBuffer _rows, _sums, _slots;
    private int _tokens;
    private bool _disposed;

    public Alone(All2AllShape shape)
    {
        _shape = shape with { Rows = RowType.Fp32 };
        _handle = new DispatchHandle(null, shape.MaxTokens, _shape);
        _rows = NativeBuffer.OfFloats((long)shape.MaxTokens * shape.Hidden); // touched only where rows come as bf16
        _sums = NativeBuffer.OfFloats((long)shape.MaxTokens * shape.Hidden);
        _slots = new NativeBuffer(sizeof(int) * (long)shape.MaxTokens * SlotInts);
    }

    /// <inheritdoc/>
    public string Name => Strategies.NameOf(Strategies.Fallback);

    /// <inheritdoc/>
    public long BytesToOthers => 0;

    private int SlotInts => 1 + 2 * _shape.TopK;

    /// <inheritdoc/>
    public void PostDispatch(StepPoint at, HiddenRows hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens,
        bool leave = false)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        All2AllCheck.Dispatch(_shape, Strategies.Fallback, _handle, hidden, experts, weights, tokens);
        _handle.Open();
        _tokens = tokens;
        fixed (float* floats = hidden.Floats)
        fixed (ushort* halves = hidden.Halves)
        {
            for (int token = 0; token < tokens; token++)
            {
                long start = (long)token * _shape.Hidden;
                float* row = hidden.IsBf16 ? (float*)_rows.Data + start : floats + start;
                if (hidden.IsBf16) RowCodec.Widen(halves + start, row, _shape.Hidden);
                int* slots = (int*)_slots.Data + (long)token * SlotInts;
                slots[0] = _shape.TopK;
                experts.Slice(token * _shape.TopK, _shape.TopK).CopyTo(new Span<int>(slots + 1, _shape.TopK));
                weights.Slice(token * _shape.TopK, _shape.TopK).CopyTo(new Span<float>(slots + 1 + _shape.TopK, _shape.TopK));
                _handle.Add((byte*)row, slots, _sums.Data + start * sizeof(float));
            }
        }
        _handle.Settle(tokens, tokens, new StepVerdict(leave, tokens == 0));
    }

    /// <inheritdoc/>
    public DispatchHandle WaitDispatch() => _handle;

    /// <inheritdoc/>
    public void PostCombine(StepPoint at, DispatchHandle handle)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (handle != _handle) throw new ArgumentException("this handle comes from another strategy", nameof(handle));
        handle.Consume();
    }

    /// <inheritdoc/>
    public void WaitCombine(Span<float> output)
    {
        All2AllCheck.Output(output.Length, _tokens, _shape);
        fixed (float* to = output)
        {
            byte* sums = _sums.Data;
            PartialSums.Add(RowType.Fp32, &sums, 1, to, _tokens * _shape.Hidden);
        }
    }

    /// <inheritdoc/>
    public void WaitCombine(Span<ushort> output)
    {
        All2AllCheck.Output(output.Length, _tokens, _shape);
        fixed (ushort* to = output) RowCodec.Narrow((float*)_sums.Data, to, _tokens * _shape.Hidden);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _rows.Dispose();
        _sums.Dispose();
        _slots.Dispose();
    }
}
