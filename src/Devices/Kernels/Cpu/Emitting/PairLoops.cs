using System.Runtime.InteropServices;
using Troupe.Devices.Tensors;
using static Troupe.Devices.Kernels.Cpu.Emitting.Assembler;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>
/// Products of bf16 rows with a panel of 32 outputs (see <see cref="Panels"/>) by VDPBF16PS, which .NET 10 has no name for: a loop for each
/// count of rows, with two sums a row in registers. A sum takes its pairs of columns in their order, whichever loop makes it. Loops for
/// coded panels (see <see cref="CodedPanel"/>) turn a line of weights into bf16 by four instructions on its way to the products, which all
/// rows share; patches are not theirs.
/// </summary>
internal static unsafe class PairLoops
{
    /// <summary>What a loop is given.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Call
    {
        /// <summary>The first row; the others follow.</summary>
        public byte* X;

        /// <summary>Bytes from a row of x to the next.</summary>
        public long XStride;

        /// <summary>A panel, or the first unit of a coded one.</summary>
        public byte* Panel;

        /// <summary>Columns / 8, which are a multiple of 32.</summary>
        public long Turns;

        /// <summary>The first row of 32 results.</summary>
        public float* Y;

        /// <summary>Bytes from a row of y to the next.</summary>
        public long YStride;

        /// <summary>Of a coded panel: the exponents that its codes name.</summary>
        public ushort* Table;

        /// <summary>Of a coded panel: <see cref="SignAndMantissa"/>.</summary>
        public ulong Mask;
    }

    /// <summary>The most rows of a loop: 24 sums, and what is multiplied, are 32 registers.</summary>
    public const int MostRows = 12;

    /// <summary>The bits of two bf16 that are no exponent.</summary>
    public const uint SignAndMantissa = 0x807F807F;

    private const int LoopBytes = 2560, Unrolled = 4, LineBytes = 128, Pair = 4;

    private const int Table = 24, Mask = 25, Codes = 26, Low = 27, High = 28, Exponents = 29, X = 30; // vectors

    private static readonly nint s_code = Processor.MultipliesPairs ? CodeMemory.Place(WriteAll()) : 0;

    /// <summary>Whether this machine has the instruction, and lets us use it.</summary>
    public static bool IsSupported => s_code != 0;

    /// <summary>The loop for 1 to <see cref="MostRows"/> rows.</summary>
    public static delegate* unmanaged[SuppressGCTransition]<Call*, void> Of(int rows, bool coded) =>
        (delegate* unmanaged[SuppressGCTransition]<Call*, void>)(s_code + (rows - 1 + (coded ? MostRows : 0)) * LoopBytes);

    private static byte[] WriteAll()
    {
        var code = new Assembler();
        for (int loop = 0; loop < 2 * MostRows; loop++)
        {
            Write(code, loop % MostRows + 1, loop >= MostRows);
            code.Fill((loop + 1) * LoopBytes);
        }
        return code.ToArray();
    }

    // rsi: panel; rcx: turns; rax, rdx, r8: rows 0, 4, 8 of x; r9, r10: one and three strides.
    private static void Write(Assembler code, int rows, bool coded)
    {
        ReadOnlySpan<int> bases = [Rax, Rdx, R8];
        code.Load(Rax, new Place(Rdi, 0));
        code.Load(R9, new Place(Rdi, 8));
        code.Load(Rsi, new Place(Rdi, 16));
        code.Load(Rcx, new Place(Rdi, 24));
        code.Address(R10, new Place(R9, 0, R9, 2));
        code.Address(Rdx, new Place(Rax, 0, R9, 4));
        code.Address(R8, new Place(Rax, 0, R9, 8));
        if (coded)
        {
            code.Load(R11, new Place(Rdi, 48));
            code.LoadVector(Table, new Place(R11));
            code.Broadcast(Mask, new Place(Rdi, 56));
        }
        for (int sum = 0; sum < 2 * rows; sum++) code.Zero(sum);
        int top = code.Here;
        for (int pair = 0; pair < Unrolled; pair++)
        {
            if (coded) Decode(code, pair);
            else if (rows > 1)
            {
                code.LoadVector(Low, new Place(Rsi, pair * LineBytes));
                code.LoadVector(High, new Place(Rsi, pair * LineBytes + 64));
            }
            for (int row = 0; row < rows; row++)
            {
                int x = X + row % 2;
                code.Broadcast(x, Row(bases[row / 4], row % 4, pair * Pair));
                if (rows == 1 && !coded)
                {
                    code.MultiplyPairs(0, x, new Place(Rsi, pair * LineBytes));
                    code.MultiplyPairs(1, x, new Place(Rsi, pair * LineBytes + 64));
                    continue;
                }
                code.MultiplyPairs(2 * row, x, Low);
                code.MultiplyPairs(2 * row + 1, x, High);
            }
        }
        code.Add(Rsi, coded ? Unrolled / 2 * CodedPanel.UnitBytes : Unrolled * LineBytes);
        for (int i = 0; i < (rows + 3) / 4; i++) code.Add(bases[i], Unrolled * Pair);
        code.Repeat(Rcx, top);
        code.Load(R11, new Place(Rdi, 32));
        code.Load(R9, new Place(Rdi, 40));
        for (int row = 0; row < rows; row++)
        {
            code.StoreVector(new Place(R11, 0), 2 * row);
            code.StoreVector(new Place(R11, 64), 2 * row + 1);
            code.AddRegister(R11, R9);
        }
        code.Return();
    }

    // A pair of columns of a coded panel: two lines of a unit's four.
    private static void Decode(Assembler code, int pair)
    {
        int unit = pair / 2 * CodedPanel.UnitBytes, first = pair % 2 * 2;
        if (first == 0) code.LoadVector(Codes, new Place(Rsi, unit + 4 * CodedPanel.Rows));
        for (int line = first; line < first + 2; line++)
        {
            int to = line == first ? Low : High, indices = Codes;
            code.WidenBytes(to, new Place(Rsi, unit + line * CodedPanel.Rows));
            if (line > 0) code.ShiftWordsRight(indices = Exponents, Codes, (byte)(4 * line));
            code.LookUpWords(Exponents, indices, Table);
            code.KeepWhere(to, Exponents, Mask);
        }
    }

    /// <summary>A place in one of four rows from a base on.</summary>
    internal static Place Row(int at, int row, int offset) => row switch
    {
        0 => new Place(at, offset),
        3 => new Place(at, offset, R10),
        _ => new Place(at, offset, R9, row),
    };
}
