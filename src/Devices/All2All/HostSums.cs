using Troupe.Devices.Fabric;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.All2All;

/// <summary>Adds a token's row from the partial sums of this rank's host and the sums of the others, in the one order.</summary>
internal sealed unsafe class HostSums : IDisposable
{
    private readonly IFabric _fabric;
    private readonly All2AllWindow _window;
    private readonly Hosts _hosts;
    private readonly HostGrid _grid;
    private readonly int _self;
    private readonly byte*[] _rows;
    private readonly NativeBuffer _room; // a host's sum, its rounded form, the total

    public HostSums(IFabric fabric, All2AllWindow window, Hosts hosts, HostGrid grid, int self)
    {
        (_fabric, _window, _hosts, _grid, _self) = (fabric, window, hosts, grid, self);
        _rows = new byte*[grid.Widest];
        _room = NativeBuffer.OfFloats(3L * window.Shape.Hidden);
    }

    /// <summary>output: [H] of bf16, overwritten.</summary>
    public void Add(RowRouting routing, int token, ushort* output)
    {
        float* total = (float*)_room.Data + 2 * _window.Shape.Hidden;
        Add(routing, token, total);
        RowCodec.Narrow(total, output, _window.Shape.Hidden);
    }

    /// <summary>output: [H], overwritten.</summary>
    public void Add(RowRouting routing, int token, float* output)
    {
        (RowType type, int hidden) = (_window.Shape.Rows.Partial(), _window.Shape.Hidden);
        new Span<float>(output, hidden).Clear();
        for (int first = 0; first < _window.Members; first = _hosts.EndOf(first))
        {
            if (!_grid.SameHost(first, _self))
            {
                int relay = _grid.Relay(_self, first), there = routing.Slot(token, relay);
                if (there >= 0) PartialSums.AddHost(type, Back(relay, there), output, hidden);
                continue;
            }
            float* sum = (float*)_room.Data;
            byte* rounded = (byte*)(sum + hidden);
            int count = 0;
            for (int member = first; member < _hosts.EndOf(first); member++)
                if (routing.Slot(token, member) is >= 0 and int slot) _rows[count++] = Back(member, slot);
            if (count == 0) continue;
            fixed (byte** rows = _rows) PartialSums.Add(type, rows, count, sum, hidden);
            RowCodec.Encode(type, sum, rounded, hidden);
            PartialSums.AddHost(type, rounded, output, hidden);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _room.Dispose();

    private byte* Back(int member, int slot)
    {
        fixed (byte* at = _fabric.Local(_window.Back(member, slot, 1))) return at;
    }
}
