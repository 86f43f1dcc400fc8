using System.Runtime.InteropServices;

namespace Troupe.Devices.Tests.Kernels.Tiles;

/// <summary>Eight tiles, as the Intel SDM (volume 2, the instructions' pages) says what the AMX instructions do to them.</summary>
internal sealed class SimulatedTiles(GuardedMemory memory)
{
    private const int Count = 8, MostRows = 16, RowBytes = 64;
    private readonly byte[][] _data = [.. Enumerable.Range(0, Count).Select(_ => new byte[MostRows * RowBytes])];
    private readonly int[] _rows = new int[Count], _bytes = new int[Count];

    /// <summary>Whether tiles have shapes.</summary>
    public bool AreConfigured { get; private set; }

    /// <summary>LDTILECFG.</summary>
    public void Configure(ulong at)
    {
        ReadOnlySpan<byte> config = memory.Read(at, 64);
        if (config[0] != 1) throw new MachineFaultException($"#GP: palette {config[0]}");
        if (config[1] != 0) throw new MachineFaultException($"a start row of {config[1]}");
        bool clean = config[2..16].IndexOfAnyExcept((byte)0) < 0 && config[32..48].IndexOfAnyExcept((byte)0) < 0
            && config[56..].IndexOfAnyExcept((byte)0) < 0;
        if (!clean) throw new MachineFaultException("#GP: reserved bytes of a configuration are set");
        for (int tile = 0; tile < Count; tile++)
        {
            (_bytes[tile], _rows[tile]) = (config[16 + 2 * tile] | config[17 + 2 * tile] << 8, config[48 + tile]);
            bool legal = _bytes[tile] <= RowBytes && _rows[tile] <= MostRows && _bytes[tile] == 0 == (_rows[tile] == 0);
            if (!legal) throw new MachineFaultException($"#GP: tile {tile} has {_rows[tile]} rows of {_bytes[tile]} bytes");
            Array.Clear(_data[tile]);
        }
        AreConfigured = true;
    }

    /// <summary>TILERELEASE.</summary>
    public void Release() => AreConfigured = false;

    /// <summary>TILEZERO.</summary>
    public void Zero(int tile)
    {
        Check(tile);
        Array.Clear(_data[tile]);
    }

    /// <summary>TILELOADD.</summary>
    public void Load(int tile, ulong at, ulong stride)
    {
        Check(tile);
        Array.Clear(_data[tile]);
        for (int row = 0; row < _rows[tile]; row++)
            memory.Read(at + (ulong)row * stride, _bytes[tile]).CopyTo(_data[tile].AsSpan(row * RowBytes));
    }

    /// <summary>TILESTORED.</summary>
    public void Store(int tile, ulong at, ulong stride)
    {
        Check(tile);
        for (int row = 0; row < _rows[tile]; row++)
            _data[tile].AsSpan(row * RowBytes, _bytes[tile]).CopyTo(memory.Write(at + (ulong)row * stride, _bytes[tile]));
    }

    /// <summary>
    /// TDPBF16PS: of each element the products of even columns and those of odd ones make a sum each, in fused steps; their sum is added.
    /// Rounds to nearest even, takes denormals as zero and makes none.
    /// </summary>
    public void Multiply(int sums, int a, int b)
    {
        Check(sums);
        Check(a);
        Check(b);
        if (sums == a || sums == b || a == b) throw new MachineFaultException($"#UD: tiles {sums}, {a}, {b} are not three");
        if (_rows[sums] != _rows[a] || _bytes[sums] != _bytes[b] || _bytes[a] / 4 != _rows[b])
            throw new MachineFaultException($"#UD: shapes of tiles {sums}, {a}, {b} do not fit");
        for (int m = 0; m < _rows[sums]; m++)
            for (int n = 0; n < _bytes[sums] / 4; n++)
            {
                float even = 0, odd = 0;
                for (int k = 0; k < _bytes[a] / 4; k++)
                {
                    even = Fused(Half(a, m, 2 * k), Half(b, k, 2 * n), even);
                    odd = Fused(Half(a, m, 2 * k + 1), Half(b, k, 2 * n + 1), odd);
                }
                ref float sum = ref MemoryMarshal.Cast<byte, float>(_data[sums].AsSpan(m * RowBytes))[n];
                sum = Flush(Flush(sum) + Flush(even + odd));
            }
    }

    private static float Fused(float a, float b, float sum) => Flush(MathF.FusedMultiplyAdd(Flush(a), Flush(b), sum));

    private static float Flush(float value) => float.IsSubnormal(value) ? MathF.CopySign(0, value) : value;

    private float Half(int tile, int row, int column)
    {
        int at = row * RowBytes + 2 * column;
        return BitConverter.Int32BitsToSingle((_data[tile][at] | _data[tile][at + 1] << 8) << 16);
    }

    private void Check(int tile)
    {
        if (!AreConfigured) throw new MachineFaultException($"#UD: tile {tile} is used while tiles have no shapes");
        if (_rows[tile] == 0) throw new MachineFaultException($"#UD: tile {tile} is used and has no rows");
    }
}
