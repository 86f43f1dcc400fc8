using Troupe.Devices.Tensors;

namespace Troupe.Devices.All2All;

/// <summary>Adds up the partial sums of a token's row from the members that made one, in the one order.</summary>
internal sealed unsafe class SumReader : IDisposable
{
    private readonly Hosts _hosts;
    private readonly int _hidden;
    private readonly RowType _type;
    private readonly byte*[] _rows;
    private readonly NativeBuffer _room; // a host's sum, its rounded form, the total

    public SumReader(Hosts hosts, All2AllShape shape, int members)
    {
        (_hosts, _hidden, _type, _rows) = (hosts, shape.Hidden, shape.Rows.Partial(), new byte*[members]);
        _room = NativeBuffer.OfFloats(3L * shape.Hidden);
    }

    /// <summary>output: [H], overwritten.</summary>
    public void Add(RowRouting routing, Peers peers, int token, float* output)
    {
        fixed (byte** rows = _rows)
        {
            if (_hosts.Count == 1)
            {
                PartialSums.Add(_type, rows, Gather(routing, peers, token, 0, _rows.Length), output, _hidden);
                return;
            }
            float* sum = (float*)_room.Data;
            byte* rounded = (byte*)(sum + _hidden);
            new Span<float>(output, _hidden).Clear();
            for (int first = 0; first < _rows.Length;)
            {
                int end = _hosts.EndOf(first);
                int count = Gather(routing, peers, token, first, end);
                first = end;
                if (count == 0) continue;
                PartialSums.Add(_type, rows, count, sum, _hidden);
                RowCodec.Encode(_type, sum, rounded, _hidden);
                PartialSums.AddHost(_type, rounded, output, _hidden);
            }
        }
    }

    /// <summary>output: [H] of bf16, overwritten.</summary>
    public void Add(RowRouting routing, Peers peers, int token, ushort* output)
    {
        float* total = (float*)_room.Data + 2 * _hidden;
        if (_hosts.Count == 1)
        {
            fixed (byte** rows = _rows)
                PartialSums.Add(_type, rows, Gather(routing, peers, token, 0, _rows.Length), output, _hidden, total);
            return;
        }
        Add(routing, peers, token, total);
        RowCodec.Narrow(total, output, _hidden);
    }

    /// <inheritdoc/>
    public void Dispose() => _room.Dispose();

    private int Gather(RowRouting routing, Peers peers, int token, int first, int end)
    {
        int count = 0;
        for (int member = first; member < end; member++)
        {
            int slot = routing.Slot(token, member);
            if (slot >= 0) _rows[count++] = peers.SumsOf(member) + (long)slot * peers.SumBytes;
        }
        return count;
    }
}
