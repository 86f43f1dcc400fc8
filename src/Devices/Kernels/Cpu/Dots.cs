using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Which tiles serve a type of weight. All have one form: rows (1 to 4), x, the weight, its first output, how many outputs, y, and the
/// weights that are read next; they set y[r, n - first] = x[r] . w[n]. Rows beyond those that there are may stand for any of them.
/// </summary>
internal static unsafe class Dots
{
    /// <summary>The tiles for a type that is not in panels.</summary>
    public static delegate*<int, FourRows, Weight*, int, int, FourRows, byte*, void> Of(ElementType type) => type switch
    {
        ElementType.BF16 => &Plain<StoredBf16>,
        ElementType.F16 => &Plain<StoredF16>,
        ElementType.F32 => &Plain<StoredF32>,
        ElementType.Fp8 => &GroupTiles<GroupedFp8>.Rows,
        _ => &GroupTiles<GroupedMxFp4>.Rows,
    };

    private static void Plain<T>(int rows, FourRows x, Weight* weight, int from, int outputs, FourRows y, byte* next)
        where T : IStored
    {
        if (rows == 4) DotTiles<T>.Rows4(x, weight->Columns, weight->Row(from), weight->RowBytes, outputs, y, next);
        else DotTiles<T>.RowsUpTo3(rows, x, weight->Columns, weight->Row(from), weight->RowBytes, outputs, y, next);
    }
}

/// <summary>
/// Where weights lie that are read some tiles later. Rows are too short for the processor to find their pattern in time: it starts anew in
/// each page, and each thread has several rows at once (bench/results has what fetching ahead gave).
/// </summary>
internal readonly unsafe struct Ahead
{
    private const int Distance = 8192;

    private readonly byte* _next;
    private readonly long _stride;
    private readonly int _tiles, _outputs;

    /// <summary>For a run of outputs, 4 to a tile. stride: bytes of a row; next: what is read after the last of them.</summary>
    public Ahead(long stride, int outputs, byte* next)
    {
        _next = next;
        (_stride, _outputs) = (stride, outputs);
        _tiles = (int)((Distance + 4 * stride - 1) / (4 * stride)) * 4;
    }

    /// <summary>What to fetch while a tile is computed; n: the tile's first output, w: its weights.</summary>
    public byte* Of(int n, byte* w) => n + _tiles < _outputs ? w + _tiles * _stride : _next + (n + _tiles - _outputs) * _stride;

    /// <summary>Asks for the line of an address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch64(byte* at)
    {
        if (Sse.IsSupported) Sse.Prefetch0(at);
    }

    /// <summary>Asks for two lines.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch128(byte* at)
    {
        Fetch64(at);
        Fetch64(at + 64);
    }
}
