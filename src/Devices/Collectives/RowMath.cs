using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Troupe.Devices.Collectives;

/// <summary>How collectives add rows. Rows of the wire's types are the business of the all2all strategies.</summary>
internal static class RowMath
{
    /// <summary>sum += row.</summary>
    public static void Add(ReadOnlySpan<float> row, Span<float> sum)
    {
        if (sum.Length < row.Length) throw new ArgumentException($"got {sum.Length} values for {row.Length}", nameof(sum));
        ref float from = ref MemoryMarshal.GetReference(row);
        ref float to = ref MemoryMarshal.GetReference(sum);
        int i = 0;
        for (; i <= row.Length - 8; i += 8)
            (Vector256.LoadUnsafe(ref to, (nuint)i) + Vector256.LoadUnsafe(ref from, (nuint)i)).StoreUnsafe(ref to, (nuint)i);
        for (; i < row.Length; i++) sum[i] += row[i];
    }
}
