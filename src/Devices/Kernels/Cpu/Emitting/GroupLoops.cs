using System.Runtime.InteropServices;
using static Troupe.Devices.Kernels.Cpu.Emitting.Assembler;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>
/// Products of integer rows with a panel of 16 outputs of Int8 or Int4 (see <see cref="Tensors.Quantised"/>) by VPDPBUSD in 512 bits, which
/// .NET 10 has no name for: a loop for each count of rows. The integers of a group are summed exactly, times both scales, group by group.
/// </summary>
internal static unsafe class GroupLoops
{
    /// <summary>What a loop is given.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Call
    {
        /// <summary>The first row, as <see cref="Operands"/> makes it; the others follow.</summary>
        public byte* X;

        /// <summary>Bytes from a row of x to the next.</summary>
        public long XStride;

        /// <summary>A panel.</summary>
        public byte* Panel;

        /// <summary>Columns / 64.</summary>
        public long Units;

        /// <summary>The first row of 16 results.</summary>
        public float* Y;

        /// <summary>Bytes from a row of y to the next.</summary>
        public long YStride;

        /// <summary>0F in each byte.</summary>
        public uint Mask;
    }

    /// <summary>The most rows of a loop.</summary>
    public const int MostRows = 8;

    private const int LoopBytes = 4096, Mask = 31, Sums = 8, Scale = 27, Line = 64, Four = 4;

    private static readonly nint s_code = Processor.MultipliesFours ? CodeMemory.Place(WriteAll()) : 0;

    /// <summary>Whether this machine has the instruction, and lets us use it.</summary>
    public static bool IsSupported => s_code != 0;

    /// <summary>The loop for 1 to <see cref="MostRows"/> rows.</summary>
    public static delegate* unmanaged[SuppressGCTransition]<Call*, void> Of(int rows, bool halves) =>
        (delegate* unmanaged[SuppressGCTransition]<Call*, void>)(s_code + (rows - 1 + (halves ? MostRows : 0)) * LoopBytes);

    private static byte[] WriteAll()
    {
        var code = new Assembler();
        for (int i = 0; i < 2 * MostRows; i++)
        {
            Write(code, i % MostRows + 1, i >= MostRows);
            code.Fill((i + 1) * LoopBytes);
        }
        return code.ToArray();
    }

    // rsi: panel; rcx: units; rax, rdx: rows 0 and 4 of x; r9, r10: one and three strides.
    private static void Write(Assembler code, int rows, bool halves)
    {
        code.Load(Rax, new Place(Rdi, 0));
        code.Load(R9, new Place(Rdi, 8));
        code.Load(Rsi, new Place(Rdi, 16));
        code.Load(Rcx, new Place(Rdi, 24));
        code.Address(R10, new Place(R9, 0, R9, 2));
        code.Address(Rdx, new Place(Rax, 0, R9, 4));
        for (int row = 0; row < rows; row++) code.Zero(Sums + row);
        code.Broadcast(Mask, new Place(Rdi, 48));
        int top = code.Here;
        int lines = halves ? 4 : 8;
        for (int group = 0; group < 2; group++) Group(code, rows, halves, group, (1 + group * lines) * Line);
        code.Add(Rsi, (1 + 2 * lines) * Line);
        for (int i = 0; i < (rows + 3) / 4; i++) code.Add(i == 0 ? Rax : Rdx, 2 * Operands.GroupBytes);
        code.Repeat(Rcx, top);
        code.Load(R11, new Place(Rdi, 32));
        code.Load(R9, new Place(Rdi, 40));
        for (int row = 0; row < rows; row++)
        {
            code.StoreVector(new Place(R11, 0), Sums + row);
            code.AddRegister(R11, R9);
        }
        code.Return();
    }

    // One of two groups of a unit, whose values are some bytes behind the scales.
    private static void Group(Assembler code, int rows, bool halves, int group, int values)
    {
        for (int row = 0; row < rows; row++) code.Broadcast(row, X(row, Operands.CorrectionAt));
        for (int line = 0; line < (halves ? 4 : 8); line++)
        {
            code.LoadVector(24, new Place(Rsi, values + line * Line));
            int bytes = 24;
            if (halves)
            {
                code.And(bytes = 25, 24, Mask);
                code.ShiftWordsRight(26, 24, 4);
                code.And(26, 26, Mask);
            }
            for (int row = 0; row < rows; row++)
            {
                code.MultiplyFours(row, bytes, X(row, line * Four));
                if (halves) code.MultiplyFours(row, 26, X(row, (line + 4) * Four));
            }
        }
        code.WidenWords(Scale, new Place(Rsi, group * Tensors.Quantised.ScaleBytes));
        code.ShiftLeft(Scale, Scale, 16);
        for (int row = 0; row < rows; row++)
        {
            code.ToSingle(row, row);
            code.MultiplyByOne(28, Scale, X(row, Operands.ScaleAt));
            code.MultiplyAdd(Sums + row, row, 28);
        }

        Place X(int row, int offset) => PairLoops.Row(row < 4 ? Rax : Rdx, row % 4, group * Operands.GroupBytes + offset);
    }
}
