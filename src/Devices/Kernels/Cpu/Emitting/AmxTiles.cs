using System.Runtime.InteropServices;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>
/// Products of bf16 rows with bf16 panels on the AMX tiles (TDPBF16PS; Sapphire Rapids and later), by <see cref="AmxCode"/>. A sum takes
/// its columns in their order and alone, so its bits do not depend on how many rows there are.
/// </summary>
internal static unsafe class AmxTiles
{
    /// <summary>Outputs of a panel; columns of a turn, of which there must be whole ones.</summary>
    public const int Outputs = 32, Step = 32;

    // Rows of a block: two tiles.
    private const int Block = 2 * AmxCode.TileRows;

    // Fetching ahead of the weights by hand is not tried on a machine with tiles yet.
    private const int Ahead = 0;

    private static readonly Loops s_loops = Make();

    /// <summary>Whether the tiles can be used here: asked of the processor and of the system, and tried on a product.</summary>
    public static bool IsSupported => WhyNot is null;

    /// <summary>Why they are not used; null where they are.</summary>
    public static string? WhyNot => s_loops.WhyNot;

    /// <summary>
    /// y[r, 32 p + n] = x[r] . w[32 p + n]. x: [rows, columns] of bf16, xStride values apart; panels: [panelCount, columns / 2, 32, 2] of
    /// bf16; columns: a multiple of 32; y: [rows, 32 panelCount], yStride values apart. May take long: the collector does not wait.
    /// </summary>
    public static void Rows(int rows, ushort* x, long xStride, byte* panels, int columns, int panelCount, float* y, long yStride) =>
        Run(s_loops, rows, x, xStride, panels, columns, panelCount, y, yStride);

    /// <summary>
    /// Fills a call for at least one row and one panel; true for the loop of tall blocks. All blocks are equally high, so that one
    /// configuration does for a call and weights pass once. Where they do not divide the rows, the first two share some, whose sums are
    /// made twice, alike.
    /// </summary>
    internal static bool Fill(
        out AmxCode.Call call, int rows, ushort* x, long xStride, byte* panels, int columns, int panelCount, float* y, long yStride)
    {
        int blocks = (rows + Block - 1) / Block, height = (rows + blocks - 1) / blocks;
        int first = blocks == 1 ? height : rows - (blocks - 1) * height;
        long xBytes = xStride * sizeof(ushort), yBytes = yStride * sizeof(float), panelBytes = (long)columns * Outputs * sizeof(ushort);
        call = new AmxCode.Call
        {
            X = (byte*)x, XStride = xBytes, FirstX = first * xBytes, StepX = height * xBytes,
            LastX = (byte*)x + (rows - height) * xBytes, TileX = AmxCode.TileRows * xBytes,
            Panels = panels, PanelBytes = panelBytes, PanelsEnd = panels + panelCount * panelBytes,
            Y = (byte*)y, YStride = yBytes, FirstY = first * yBytes, StepY = height * yBytes, TileY = AmxCode.TileRows * yBytes,
        };
        AmxCode.Shapes(MemoryMarshal.CreateSpan(ref call.Config, AmxCode.ConfigBytes), height);
        return height > AmxCode.TileRows;
    }

    private static void Run(
        Loops loops, int rows, ushort* x, long xStride, byte* panels, int columns, int panelCount, float* y, long yStride)
    {
        if (rows == 0 || panelCount == 0) return;
        bool tall = Fill(out AmxCode.Call call, rows, x, xStride, panels, columns, panelCount, y, yStride);
        SignalStack.Widen();
        // The collector need not wait for the call: telling it so costs some nanoseconds, less than configuring the tiles does.
        ((delegate* unmanaged<AmxCode.Call*, void>)(tall ? loops.Tall : loops.Short))(&call);
    }

    private static Loops Make()
    {
        if (AmxSupport.WhyNot(Environment.GetEnvironmentVariable(AmxSupport.Switch)) is { } whyNot) return new Loops(0, 0, whyNot);
        var loops = new Loops(CodeMemory.Place(AmxCode.Emit(false, Ahead)), CodeMemory.Place(AmxCode.Emit(true, Ahead)), null);
        if (loops.Short == 0 || loops.Tall == 0) return new Loops(0, 0, "no AMX: memory may not become code here");
        return IsRight(loops, 5) && IsRight(loops, 35) ? loops : new Loops(0, 0, "AMX gave a wrong product when it was tried");
    }

    // Small whole numbers: whatever the order of sums, they are exact.
    private static bool IsRight(Loops loops, int rows)
    {
        const int Columns = 2 * Step, Panels = 2, All = Panels * Outputs;
        using NativeBuffer xMemory = new(rows * Columns * sizeof(ushort)), wMemory = new(All * Columns * sizeof(ushort)),
            yMemory = NativeBuffer.OfFloats(rows * All);
        ushort* x = (ushort*)xMemory.Data, w = (ushort*)wMemory.Data;
        var y = (float*)yMemory.Data;
        for (int r = 0; r < rows; r++)
            for (int k = 0; k < Columns; k++) x[r * Columns + k] = Elements.ToBf16(X(r, k));
        for (int n = 0; n < All; n++)
            for (int k = 0; k < Columns; k++)
                w[(n / Outputs * Columns / 2 + k / 2) * Outputs * 2 + n % Outputs * 2 + k % 2] = Elements.ToBf16(W(n, k));
        Run(loops, rows, x, Columns, (byte*)w, Columns, Panels, y, All);
        for (int r = 0; r < rows; r++)
            for (int n = 0; n < All; n++)
            {
                int sum = 0;
                for (int k = 0; k < Columns; k++) sum += X(r, k) * W(n, k);
                if (y[r * All + n] != sum) return false;
            }
        return true;

        static int X(int r, int k) => (r * 7 + k * 5) % 17 - 8;
        static int W(int n, int k) => (n * 11 + k * 3) % 19 - 9;
    }

    private readonly record struct Loops(nint Short, nint Tall, string? WhyNot);
}
