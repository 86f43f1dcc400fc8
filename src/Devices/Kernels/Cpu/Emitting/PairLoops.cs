using System.Runtime.InteropServices;
using static Troupe.Devices.Kernels.Cpu.Emitting.Assembler;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>
/// Products of bf16 rows with a panel of 32 outputs (see <see cref="Tensors.Panels"/>) by VDPBF16PS, which .NET 10 has no name for: a loop
/// for each count of rows, with two sums a row in registers. A sum takes its pairs of columns in their order, whichever loop makes it.
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

        /// <summary>A panel.</summary>
        public byte* Panel;

        /// <summary>Columns / 8, which are a multiple of 32.</summary>
        public long Turns;

        /// <summary>The first row of 32 results.</summary>
        public float* Y;

        /// <summary>Bytes from a row of y to the next.</summary>
        public long YStride;
    }

    /// <summary>The most rows of a loop: 24 sums, and what is multiplied, are 32 registers.</summary>
    public const int MostRows = 12;

    private const int LoopBytes = 2048, Unrolled = 4, LineBytes = 128, Pair = 4;

    private static readonly nint s_code = Processor.MultipliesPairs ? CodeMemory.Place(WriteAll()) : 0;

    /// <summary>Whether this machine has the instruction, and lets us use it.</summary>
    public static bool IsSupported => s_code != 0;

    /// <summary>The loop for 1 to <see cref="MostRows"/> rows.</summary>
    public static delegate* unmanaged[SuppressGCTransition]<Call*, void> Of(int rows) =>
        (delegate* unmanaged[SuppressGCTransition]<Call*, void>)(s_code + (rows - 1) * LoopBytes);

    private static byte[] WriteAll()
    {
        var code = new Assembler();
        for (int rows = 1; rows <= MostRows; rows++)
        {
            Write(code, rows);
            code.Fill(rows * LoopBytes);
        }
        return code.ToArray();
    }

    // rsi: panel; rcx: turns; rax, rdx, r8: rows 0, 4, 8 of x; r9, r10: one and three strides.
    private static void Write(Assembler code, int rows)
    {
        ReadOnlySpan<int> bases = [Rax, Rdx, R8];
        code.Load(Rax, new Place(Rdi, 0));
        code.Load(R9, new Place(Rdi, 8));
        code.Load(Rsi, new Place(Rdi, 16));
        code.Load(Rcx, new Place(Rdi, 24));
        code.Address(R10, new Place(R9, 0, R9, 2));
        code.Address(Rdx, new Place(Rax, 0, R9, 4));
        code.Address(R8, new Place(Rax, 0, R9, 8));
        for (int sum = 0; sum < 2 * rows; sum++) code.Zero(sum);
        int top = code.Here;
        for (int pair = 0; pair < Unrolled; pair++)
        {
            (int low, int high) = (24 + pair % 2 * 2, 25 + pair % 2 * 2);
            if (rows > 1)
            {
                code.LoadVector(low, new Place(Rsi, pair * LineBytes));
                code.LoadVector(high, new Place(Rsi, pair * LineBytes + 64));
            }
            for (int row = 0; row < rows; row++)
            {
                int x = 28 + row % 4;
                code.Broadcast(x, Row(bases[row / 4], row % 4, pair * Pair));
                if (rows == 1)
                {
                    code.MultiplyPairs(0, x, new Place(Rsi, pair * LineBytes));
                    code.MultiplyPairs(1, x, new Place(Rsi, pair * LineBytes + 64));
                    continue;
                }
                code.MultiplyPairs(2 * row, x, low);
                code.MultiplyPairs(2 * row + 1, x, high);
            }
        }
        code.Add(Rsi, Unrolled * LineBytes);
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

    /// <summary>A place in one of four rows from a base on.</summary>
    internal static Place Row(int at, int row, int offset) => row switch
    {
        0 => new Place(at, offset),
        3 => new Place(at, offset, R10),
        _ => new Place(at, offset, R9, row),
    };
}
