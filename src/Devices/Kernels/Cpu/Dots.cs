using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Which tiles serve a type of weight. All have one form: rows (1 to 4), x, the weight, its first output, how many outputs, y; they set
/// y[r, n - first] = x[r] . w[n]. Rows beyond those that there are may stand for any of them.
/// </summary>
internal static unsafe class Dots
{
    /// <summary>The tiles for a type.</summary>
    public static delegate*<int, FourRows, Weight*, int, int, FourRows, void> Of(ElementType type) => type switch
    {
        ElementType.BF16 => &Plain<StoredBf16>,
        ElementType.F16 => &Plain<StoredF16>,
        ElementType.F32 => &Plain<StoredF32>,
        ElementType.Int8 => &GroupTiles<GroupedInt8>.Rows,
        ElementType.Int4 => &GroupTiles<GroupedInt4>.Rows,
        ElementType.Fp8 => &GroupTiles<GroupedFp8>.Rows,
        _ => &GroupTiles<GroupedMxFp4>.Rows,
    };

    private static void Plain<T>(int rows, FourRows x, Weight* weight, int from, int outputs, FourRows y) where T : IStored
    {
        if (rows == 4) DotTiles<T>.Rows4(x, weight->Columns, weight->Row(from), weight->RowBytes, outputs, y);
        else DotTiles<T>.RowsUpTo3(rows, x, weight->Columns, weight->Row(from), weight->RowBytes, outputs, y);
    }
}
