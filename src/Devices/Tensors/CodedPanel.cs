using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Troupe.Devices.Tensors;

/// <summary>Takes memory for panels that cannot be coded: zeroed, aligned to a cache line, there as long as the weight is.</summary>
public unsafe delegate byte* SpareMemory(long bytes);

/// <summary>
/// A panel of bf16 (see <see cref="Panels"/>) in 12 bits a value and without loss: products of few rows take as long as reading their
/// weights does, and of a weight's 16 bits the 8 of its exponent say little. Nearly all of a panel's exponents lie within 15 neighbours, so
/// a value is its sign and mantissa, a byte, and 4 bits that name its exponent; the few others are patches, added after the product
/// (patched frame of reference: Zukowski et al., ICDE 2006; that exponents of trained weights carry 2 to 3 bits: DFloat11, Zhang et al.,
/// 2025). A panel with more patches than there is room for lies elsewhere, plain.
/// <para>[head, 128 bytes; K / 4 units of 192; K / 16 patches of 8, rounded up to 64 bytes]. A unit is 4 columns: the plain panel's next
/// four lines of 32 values, as 4 x 32 bytes, and 32 words with 4 bits for each line, the first line's lowest.</para>
/// </summary>
internal static unsafe class CodedPanel
{
    /// <summary>Rows of a panel; columns of a unit.</summary>
    public const int Rows = 32, UnitColumns = 4;

    /// <summary>Where units begin, and their bytes.</summary>
    public const int HeadBytes = 128, UnitBytes = 192;

    private const int LinesBytes = 4 * Rows, Codes = 16, PatchColumns = 16;

    /// <summary>What a panel begins with.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Head
    {
        /// <summary>
        /// The bits of the exponent that a code names, in place; 0 for code 0, which is zeros, subnormals and patches. Twice.
        /// </summary>
        public fixed ushort Table[2 * Codes];

        /// <summary>The whole panel, plain, where it could not be coded.</summary>
        public ushort* Plain;

        /// <summary>How many values are patches.</summary>
        public int Patches;
    }

    /// <summary>A value whose exponent has no code; it counts 0 in the units.</summary>
    public struct Patch
    {
        /// <summary>Its column times 32, plus its row in the panel.</summary>
        public int At;

        /// <summary>The value.</summary>
        public float Value;
    }

    /// <summary>Bytes of a coded panel; columns: a multiple of 32.</summary>
    public static long Bytes(long columns) =>
        HeadBytes + columns / UnitColumns * UnitBytes + (columns / PatchColumns * sizeof(Patch) + 63) / 64 * 64;

    /// <summary>The first patch of a panel.</summary>
    public static Patch* Patches(byte* panel, int columns) => (Patch*)(panel + HeadBytes + columns / UnitColumns * UnitBytes);

    /// <summary>Codes a plain panel, [columns / 2, 32, 2], into zeroed memory.</summary>
    public static void Fill(byte* to, ushort* plain, int columns, SpareMemory spare)
    {
        var head = (Head*)to;
        int most = MostExponent(plain, columns);
        if (TryFill(to, plain, columns, Math.Max(0, most - Codes + 1)) || TryFill(to, plain, columns, BestBase(plain, columns))) return;
        long bytes = (long)columns * Rows * sizeof(ushort);
        head->Patches = 0;
        head->Plain = (ushort*)spare(bytes);
        Buffer.MemoryCopy(plain, head->Plain, bytes, bytes);
    }

    /// <summary>The plain panel but for its patches, which are zeros; for a panel that is coded. Needs AVX-512.</summary>
    public static void Expand(byte* panel, ushort* to, int columns)
    {
        Vector512<ushort> table = Vector512.Load(((Head*)panel)->Table), signAndMantissa = Vector512.Create((ushort)0x807F);
        byte* unit = panel + HeadBytes;
        for (int i = 0; i < columns; i += UnitColumns, unit += UnitBytes)
        {
            Vector512<ushort> codes = Vector512.Load((ushort*)(unit + LinesBytes));
            for (int line = 0; line < 4; line++, to += Rows, codes >>>= 4)
            {
                Vector512<ushort> bits = Avx512BW.ConvertToVector512Int16(Vector256.Load((sbyte*)unit + line * Rows)).AsUInt16();
                Vector512<ushort> exponents = Avx512BW.PermuteVar32x16(table, codes);
                Vector512.ConditionalSelect(signAndMantissa, bits, exponents).Store(to);
            }
        }
    }

    /// <summary>One value's bits.</summary>
    public static ushort Bits(byte* panel, int row, int column, int columns)
    {
        var head = (Head*)panel;
        int line = column % UnitColumns / 2 * 2 + row / 16, lane = row % 16 * 2 + column % 2;
        if (head->Plain != null) return head->Plain[(column / UnitColumns * 4 + line) * Rows + lane];
        byte* unit = panel + HeadBytes + column / UnitColumns * UnitBytes;
        int code = ((ushort*)(unit + LinesBytes))[lane] >> (4 * line) & (Codes - 1), bits = unit[line * Rows + lane];
        Patch* patches = Patches(panel, columns);
        for (int i = 0; code == 0 && i < head->Patches; i++)
            if (patches[i].At == column * Rows + row) return Elements.ToBf16(patches[i].Value);
        return (ushort)((bits & 0x80) << 8 | head->Table[code] | bits & 0x7F);
    }

    // Codes 1 to 15 are the exponents behind the base.
    private static bool TryFill(byte* to, ushort* plain, int columns, int before)
    {
        var head = (Head*)to;
        Patch* patches = Patches(to, columns);
        (int patched, int most) = (0, columns / PatchColumns);
        byte* unit = to + HeadBytes;
        Vector512<ushort>* lines = stackalloc Vector512<ushort>[4];
        for (int column = 0; column < columns; column += UnitColumns, unit += UnitBytes)
        {
            Vector512<ushort> codes = default;
            for (int line = 0; line < 4; line++, plain += Rows)
            {
                Vector512<ushort> bits = Vector512.Load(plain), exponents = (bits >>> 7) & Vector512.Create((ushort)0xFF);
                Vector512<ushort> code = exponents - Vector512.Create((ushort)before);
                Vector512<ushort> named = Vector512.LessThan(code - Vector512<ushort>.One, Vector512.Create((ushort)(Codes - 1)));
                Vector512<ushort> kept = named | Vector512.Equals(exponents, Vector512<ushort>.Zero);
                codes |= (code & named) << (4 * line);
                lines[line] = (((bits >>> 8) & Vector512.Create((ushort)0x80)) | (bits & Vector512.Create((ushort)0x7F))) & kept;
                ulong strays = ~kept.ExtractMostSignificantBits() & uint.MaxValue;
                if (patched + BitOperations.PopCount(strays) > most) return false;
                for (; strays != 0; strays &= strays - 1)
                {
                    int lane = BitOperations.TrailingZeroCount(strays);
                    int at = (column + line / 2 * 2 + lane % 2) * Rows + line % 2 * 16 + lane / 2;
                    patches[patched++] = new Patch { At = at, Value = Elements.FromBf16(plain[lane]) };
                }
            }
            Vector512.Narrow(lines[0], lines[1]).Store(unit);
            Vector512.Narrow(lines[2], lines[3]).Store(unit + 2 * Rows);
            codes.Store((ushort*)(unit + LinesBytes));
        }
        head->Patches = patched;
        for (int i = 0; i < 2 * Codes; i++) head->Table[i] = (ushort)(i % Codes == 0 ? 0 : ((before + i % Codes) & 0xFF) << 7);
        return true;
    }

    private static int MostExponent(ushort* plain, int columns)
    {
        Vector512<ushort> most = default;
        for (int i = 0; i < columns; i++) most = Vector512.Max(most, Vector512.Load(plain + i * Rows) & Vector512.Create((ushort)0x7F80));
        int found = 0;
        for (int i = 0; i < Vector512<ushort>.Count; i++) found = Math.Max(found, most[i] >> 7);
        return found;
    }

    // The base whose 15 exponents are most of the values'.
    private static int BestBase(ushort* plain, int columns)
    {
        int* counts = stackalloc int[256 + Codes];
        new Span<int>(counts, 256 + Codes).Clear();
        for (int i = 0; i < columns * Rows; i++) counts[plain[i] >> 7 & 0xFF]++;
        (int best, int most, int sum) = (0, -1, 0);
        for (int i = 1; i < Codes; i++) sum += counts[i];
        for (int before = 0; before < 256 - Codes + 1; before++)
        {
            if (sum > most) (best, most) = (before, sum);
            sum += counts[before + Codes] - counts[before + 1];
        }
        return best;
    }
}
