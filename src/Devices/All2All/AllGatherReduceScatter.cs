using System.Runtime.InteropServices;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>
/// The strategy that always works: dispatch sends all rows of every rank to every other, with ids and weights, in one exchange; each rank
/// runs its own experts on all rows; combine sends every rank the partial sums of its rows. On T tokens per rank each rank sends T H
/// values each way.
/// <para>In a group of several ranks every row and every partial sum is rounded to the row type, a rank's own too, so that a token's
/// result does not depend on which rank it came from. A group of one rank copies and rounds nothing: its handle points at the caller's
/// rows, which must stay in place (unmanaged or pinned memory) and unchanged until Combine.</para>
/// </summary>
public sealed unsafe class AllGatherReduceScatter : IAll2All
{
    private const int HeaderPart = 0, IdsPart = 1, WeightsPart = 2, RowsPart = 3, PartialPart = 1;

    private readonly IFabric _fabric;
    private readonly All2AllShape _shape;
    private readonly Exchange _exchange;
    private readonly DispatchHandle _handle = new();
    private readonly int[] _first; // of each member's rows among the rows of the handle, and the end
    private readonly float* _hidden;
    private readonly int* _experts;
    private readonly float* _weights;
    private readonly ushort* _narrow; // rows on their way to the wire, as bf16
    private StepHeader _sent;
    private bool _disposed;

    /// <summary>Makes the strategy for this rank's group; every member does, with the same shape and reservation.</summary>
    public AllGatherReduceScatter(IFabric fabric, RankGroup group, All2AllShape shape, ExchangePlan plan)
    {
        (_fabric, _shape) = (fabric, shape);
        _exchange = new Exchange(fabric, group, plan);
        _first = new int[group.Size + 1];
        if (group.Size == 1) return;
        nuint rows = (nuint)group.Size * (nuint)shape.MaxTokens, values = rows * (nuint)shape.Hidden;
        _hidden = Allocate<float>(values);
        _experts = Allocate<int>(rows * (nuint)shape.TopK);
        _weights = Allocate<float>(rows * (nuint)shape.TopK);
        if (shape.Rows == RowType.Bf16) _narrow = Allocate<ushort>(values);
    }

    /// <inheritdoc/>
    public string Name => Strategies.NameOf(Strategy.AllGatherReduceScatter);

    private int Members => _exchange.Group.Size;

    /// <summary>Reserves what groups of this size need for this shape. Every rank of the world makes this reservation.</summary>
    public static ExchangePlan Reserve(WindowPlan plan, int members, All2AllShape shape)
    {
        long slots = (long)shape.MaxTokens * shape.TopK * sizeof(int);
        return ExchangePlan.Reserve(plan, members, sizeof(StepHeader), slots, slots,
            (long)shape.MaxTokens * shape.Hidden * (shape.Rows == RowType.Bf16 ? sizeof(ushort) : sizeof(float)));
    }

    /// <inheritdoc/>
    public DispatchHandle Dispatch(
        StepPoint at, ReadOnlySpan<float> hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens)
    {
        CheckDispatch(hidden, experts, weights, tokens);
        hidden = hidden[..(tokens * _shape.Hidden)];
        experts = experts[..(tokens * _shape.TopK)];
        weights = weights[..(tokens * _shape.TopK)];
        if (Members == 1) return Alone(hidden, experts, weights, tokens);

        Announce(at, StepPhase.Dispatch, tokens);
        _exchange.AddToAll(experts);
        _exchange.AddToAll(weights);
        if (_narrow is null) _exchange.AddToAll(hidden);
        else _exchange.AddToAll<ushort>(Narrow(hidden));
        _exchange.Post();

        for (int member = 0; member < Members; member++)
        {
            int rows = member == _exchange.Position ? tokens : WaitFor(member).Rows;
            int row = _first[member];
            _first[member + 1] = row + rows;
            var intoHidden = new Span<float>(_hidden + (long)row * _shape.Hidden, rows * _shape.Hidden);
            var intoExperts = new Span<int>(_experts + (long)row * _shape.TopK, rows * _shape.TopK);
            var intoWeights = new Span<float>(_weights + (long)row * _shape.TopK, rows * _shape.TopK);
            if (member == _exchange.Position)
            {
                experts.CopyTo(intoExperts);
                weights.CopyTo(intoWeights);
                if (_narrow is null) hidden.CopyTo(intoHidden);
                else RowMath.Widen(new ReadOnlySpan<ushort>(_narrow, hidden.Length), intoHidden);
            }
            else
            {
                _exchange.Received<int>(member, IdsPart).CopyTo(intoExperts);
                _exchange.Received<float>(member, WeightsPart).CopyTo(intoWeights);
                if (_narrow is null) _exchange.Received<float>(member, RowsPart).CopyTo(intoHidden);
                else RowMath.Widen(_exchange.Received<ushort>(member, RowsPart), intoHidden);
            }
        }
        _handle.Fill(_first[Members], _hidden, _shape.Hidden, _experts, _weights, _shape.TopK);
        return _handle;
    }

    /// <inheritdoc/>
    public void Combine(StepPoint at, DispatchHandle handle, ReadOnlySpan<float> partial, Span<float> output)
    {
        int self = _exchange.Position, tokens = _first[self + 1] - _first[self];
        CheckCombine(handle, partial, output, tokens);
        partial = partial[..(handle.Rows * _shape.Hidden)];
        output = output[..(tokens * _shape.Hidden)];
        handle.Consume();
        if (Members > 1) SendPartials(at, tokens, partial);
        var own = partial.Slice(_first[self] * _shape.Hidden, output.Length);
        if (Members == 1)
        {
            RowMath.Begin(own, output);
            return;
        }
        for (int row = 0; row < tokens; row++)
        {
            var sum = output.Slice(row * _shape.Hidden, _shape.Hidden);
            sum.Clear();
            for (int member = 0; member < Members; member++) AddRow(member, row, own, sum);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        NativeMemory.AlignedFree(_hidden);
        NativeMemory.AlignedFree(_experts);
        NativeMemory.AlignedFree(_weights);
        NativeMemory.AlignedFree(_narrow);
    }

    private void SendPartials(StepPoint at, int tokens, ReadOnlySpan<float> partial)
    {
        Announce(at, StepPhase.Combine, tokens);
        var narrow = _narrow is null ? default : Narrow(partial);
        for (int i = 1; i < Members; i++)
        {
            int member = (_exchange.Position + i) % Members;
            int start = _first[member] * _shape.Hidden, length = (_first[member + 1] - _first[member]) * _shape.Hidden;
            if (_narrow is null) _exchange.Add(member, partial.Slice(start, length));
            else _exchange.Add<ushort>(member, narrow.Slice(start, length));
        }
        _exchange.Post();
        for (int member = 0; member < Members; member++)
            if (member != _exchange.Position) WaitFor(member);
    }

    private void AddRow(int member, int row, ReadOnlySpan<float> own, Span<float> sum)
    {
        int at = row * _shape.Hidden;
        bool mine = member == _exchange.Position;
        if (_narrow is null)
            RowMath.Add((mine ? own : _exchange.Received<float>(member, PartialPart)).Slice(at, sum.Length), sum);
        else if (mine)
            RowMath.Add(new ReadOnlySpan<ushort>(_narrow + (long)_first[member] * _shape.Hidden + at, sum.Length), sum);
        else
            RowMath.Add(_exchange.Received<ushort>(member, PartialPart).Slice(at, sum.Length), sum);
    }

    /// <summary>Starts the exchange with this rank's header.</summary>
    private void Announce(StepPoint at, StepPhase phase, int tokens)
    {
        _fabric.SetStatus(at with { Phase = phase });
        _sent = StepHeader.Of(at, phase, Strategy.AllGatherReduceScatter, _shape, tokens);
        _exchange.Begin();
        _exchange.AddToAll(new ReadOnlySpan<StepHeader>(ref _sent));
    }

    /// <summary>Waits for a member's parts and checks that it does what this rank does.</summary>
    private StepHeader WaitFor(int member)
    {
        int parts = _exchange.Wait(member);
        var theirs = parts == 0 ? default : MemoryMarshal.Read<StepHeader>(_exchange.Received<byte>(member, HeaderPart));
        if (_sent.Agrees(theirs)) return theirs;
        throw _exchange.Abort(member, $"sent {theirs} where {_fabric.Self} sent {_sent}: "
            + "all but the count of rows must be equal, and rows within capacity");
    }

    private DispatchHandle Alone(ReadOnlySpan<float> hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens)
    {
        _first[1] = tokens;
        fixed (float* h = hidden, w = weights)
        fixed (int* e = experts)
            _handle.Fill(tokens, h, _shape.Hidden, e, w, _shape.TopK);
        return _handle;
    }

    private Span<ushort> Narrow(ReadOnlySpan<float> rows)
    {
        var narrow = new Span<ushort>(_narrow, rows.Length);
        RowMath.Narrow(rows, narrow);
        return narrow;
    }

    private void CheckDispatch(ReadOnlySpan<float> hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_handle.Pending) throw new InvalidOperationException("the last dispatch was not combined: each Dispatch needs its Combine");
        if ((uint)tokens > (uint)_shape.MaxTokens)
        {
            throw new ArgumentOutOfRangeException(nameof(tokens),
                $"{tokens} rows do not fit {_shape.MaxTokens}: split the batch, or reserve a larger shape");
        }
        long values = (long)tokens * _shape.Hidden, slots = (long)tokens * _shape.TopK;
        if (hidden.Length < values || experts.Length < slots || weights.Length < slots)
        {
            throw new ArgumentException($"{tokens} rows of hidden {_shape.Hidden} and top-k {_shape.TopK} need {values} values "
                + $"and {slots} ids and weights, got {hidden.Length}, {experts.Length} and {weights.Length}", nameof(hidden));
        }
    }

    private void CheckCombine(DispatchHandle handle, ReadOnlySpan<float> partial, Span<float> output, int tokens)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (handle != _handle) throw new ArgumentException("this handle comes from another strategy", nameof(handle));
        if (partial.Length < (long)handle.Rows * _shape.Hidden || output.Length < (long)tokens * _shape.Hidden)
        {
            throw new ArgumentException($"{handle.Rows} rows in and {tokens} out at hidden {_shape.Hidden} do not fit the "
                + $"{partial.Length} and {output.Length} values that were given", nameof(partial));
        }
    }

    private static T* Allocate<T>(nuint count)
        where T : unmanaged => (T*)NativeMemory.AlignedAlloc(Math.Max(1, count) * (nuint)sizeof(T), 128);
}
