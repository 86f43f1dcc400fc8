using System.Runtime.InteropServices;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.All2All;

/// <summary>
/// This rank's own rows in their wire type: where the caller has them if they are in that type already, else encoded once into the place
/// of this rank's own inbox, where peers may read them.
/// </summary>
internal sealed unsafe class OwnRows
{
    private readonly All2AllWindow _window;
    private readonly byte* _inbox;
    private readonly float[] _wide;
    private byte* _rows;
    private long _stride;

    public OwnRows(byte* inbox, All2AllWindow window)
    {
        _window = window;
        _inbox = inbox;
        _wide = GC.AllocateArray<float>(window.Shape.Hidden, pinned: true);
    }

    /// <summary>Whether peers must read the rows: then they are copied even where the caller has them in their wire type.</summary>
    public bool Publish { get; init; }

    /// <summary>A row.</summary>
    public byte* Row(int token) => _rows + token * _stride;

    /// <summary>Takes the rows of a dispatch.</summary>
    public void Encode(HiddenRows hidden, int tokens)
    {
        int width = _window.Shape.Hidden;
        RowType type = _window.Shape.Rows;
        bool asTheyAre = hidden.IsBf16 ? type == RowType.Bf16 : type == RowType.Fp32;
        fixed (float* floats = hidden.Floats)
        fixed (ushort* halves = hidden.Halves)
        {
            byte* given = hidden.IsBf16 ? (byte*)halves : (byte*)floats;
            long stride = (long)width * (hidden.IsBf16 ? sizeof(ushort) : sizeof(float));
            bool leave = asTheyAre && !Publish;
            bool streamed = Publish && (long)tokens * _window.RowBytes >= Streamed.Least;
            _rows = leave ? given : _inbox;
            _stride = leave ? stride : _window.SlotBytes;
            if (leave) return;
            for (int token = 0; token < tokens; token++)
            {
                byte* from = given + (token * stride), to = _inbox + (long)token * _window.SlotBytes;
                // Published rows are for peers; this rank reads but its share of them.
                if (asTheyAre && streamed) Streamed.Copy(from, to, _window.RowBytes);
                else if (asTheyAre) NativeMemory.Copy(from, to, (nuint)_window.RowBytes);
                else RowCodec.Encode(type, hidden.IsBf16 ? Wide((ushort*)from) : (float*)from, to, width, streamed);
            }
        }
    }

    private float* Wide(ushort* row)
    {
        float* wide = (float*)Marshal.UnsafeAddrOfPinnedArrayElement(_wide, 0);
        RowCodec.Widen(row, wide, _wide.Length);
        return wide;
    }
}
