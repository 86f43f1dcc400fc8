using System.Runtime.InteropServices;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>
/// Writes the loops of <see cref="AmxTiles"/>: blocks of up to 16 or up to 32 rows of x by panels of 32 outputs. A block's sums are two
/// or four tiles of [16 rows, 16 outputs]; each turn takes 32 columns: one or two tiles of x, two of weights.
/// </summary>
internal static class AmxCode
{
    /// <summary>What a loop is given. Strides and steps are bytes.</summary>
    [StructLayout(LayoutKind.Explicit, Size = ConfigAt + ConfigBytes)]
    public unsafe struct Call
    {
        /// <summary>Rows of bf16.</summary>
        [FieldOffset(XAt)] public byte* X;

        /// <summary>From one row to the next.</summary>
        [FieldOffset(XStrideAt)] public long XStride;

        /// <summary>From the first block of rows to the second: at most a block, so that these two may share rows.</summary>
        [FieldOffset(FirstXAt)] public long FirstX;

        /// <summary>From each later block to its next.</summary>
        [FieldOffset(StepXAt)] public long StepX;

        /// <summary>The last block.</summary>
        [FieldOffset(LastXAt)] public byte* LastX;

        /// <summary>From a block's first tile of x to its second.</summary>
        [FieldOffset(TileXAt)] public long TileX;

        /// <summary>Panels: [columns / 2, 32 outputs, 2].</summary>
        [FieldOffset(PanelsAt)] public byte* Panels;

        /// <summary>One panel.</summary>
        [FieldOffset(PanelBytesAt)] public long PanelBytes;

        /// <summary>Where the last panel ends.</summary>
        [FieldOffset(PanelsEndAt)] public byte* PanelsEnd;

        /// <summary>Rows of fp32.</summary>
        [FieldOffset(YAt)] public byte* Y;

        /// <summary>From one row to the next.</summary>
        [FieldOffset(YStrideAt)] public long YStride;

        /// <summary>As FirstX.</summary>
        [FieldOffset(FirstYAt)] public long FirstY;

        /// <summary>As StepX.</summary>
        [FieldOffset(StepYAt)] public long StepY;

        /// <summary>As TileX.</summary>
        [FieldOffset(TileYAt)] public long TileY;

        /// <summary>The shapes of the tiles, as LDTILECFG reads them.</summary>
        [FieldOffset(ConfigAt)] public byte Config;
    }

    /// <summary>Rows of a tile; bytes of its row; bytes of the shapes of all tiles.</summary>
    public const int TileRows = 16, TileBytes = 64, ConfigBytes = 64;

    /// <summary>Tiles: sums [0, 1: upper rows, 2, 3: lower rows], x [upper, lower], weights [first 16 outputs, others].</summary>
    private const int Sums = 0, UpperX = 4, LowerX = 5, Weights = 6;

    private const int XAt = 0, XStrideAt = 8, FirstXAt = 16, StepXAt = 24, LastXAt = 32, TileXAt = 40, PanelsAt = 48, PanelBytesAt = 56,
        PanelsEndAt = 64, YAt = 72, YStrideAt = 80, FirstYAt = 88, StepYAt = 96, TileYAt = 104, ConfigAt = 128;

    // Of a panel: two columns of 32 outputs are 128 bytes, the 32 columns of a turn 2048.
    private const int PairBytes = 128, TurnBytes = PairBytes * 16;

    // System V: the call is in rdi; rbx and r12 to r15 belong to the caller.
    private const int Rax = 0, Rcx = 1, Rdx = 2, Rbx = 3, Rsi = 6, Rdi = 7, R8 = 8, R9 = 9, R10 = 10, R11 = 11, R12 = 12, R13 = 13,
        R14 = 14, R15 = 15;
    private const int CallIn = Rdi, XStride = Rsi, YStride = Rcx, PairStride = Rdx;
    private const int Panel = Rbx, PanelY = R12, PanelEnd = R10, BlockX = R11, BlockY = Rax, StepX = R14, StepY = R15;
    private const int X = R8, LowX = R13, W = R9, LowY = R9;

    /// <summary>The shapes of tiles for blocks of so many rows, into 64 zeros.</summary>
    public static void Shapes(Span<byte> config, int rows)
    {
        config[0] = 1; // the palette
        int upper = Math.Min(rows, TileRows), lower = rows - upper;
        ReadOnlySpan<int> shapes = [upper, upper, lower, lower, upper, lower, TileRows, TileRows];
        for (int tile = 0; tile < shapes.Length; tile++)
        {
            if (shapes[tile] == 0) continue;
            config[16 + 2 * tile] = TileBytes;
            config[48 + tile] = (byte)shapes[tile];
        }
    }

    /// <summary>
    /// void (Call*). Tall: for blocks of 17 to 32 rows, else of 1 to 16. Ahead: bytes before their turn at which weights are fetched; 0:
    /// the processor's own prefetching alone.
    /// </summary>
    public static byte[] Emit(bool tall, int ahead)
    {
        var a = new AmxAssembler();
        Start(a);
        int panel = a.Here;
        a.Load(BlockX, CallIn, XAt);
        a.Move(BlockY, PanelY);
        a.Move(PanelEnd, Panel);
        a.AddFrom(PanelEnd, CallIn, PanelBytesAt);
        a.Load(StepX, CallIn, FirstXAt);
        a.Load(StepY, CallIn, FirstYAt);
        int block = a.Here;
        Multiply(a, tall, ahead);
        Store(a, tall);
        a.AddRegister(BlockX, StepX);
        a.AddRegister(BlockY, StepY);
        a.Load(StepX, CallIn, StepXAt);
        a.Load(StepY, CallIn, StepYAt);
        a.CompareWith(BlockX, CallIn, LastXAt);
        a.JumpIfNotAbove(block);
        a.Add(PanelY, 2 * TileBytes);
        a.Move(Panel, PanelEnd);
        a.CompareWith(Panel, CallIn, PanelsEndAt);
        a.JumpIfBelow(panel);
        a.Release();
        foreach (int register in (int[])[R15, R14, R13, R12, Rbx]) a.Pop(register);
        a.Return();
        return a.ToArray();
    }

    private static void Start(AmxAssembler a)
    {
        foreach (int register in (int[])[Rbx, R12, R13, R14, R15]) a.Push(register);
        a.Configure(CallIn, ConfigAt);
        a.Load(XStride, CallIn, XStrideAt);
        a.Load(YStride, CallIn, YStrideAt);
        a.Set(PairStride, PairBytes);
        a.Load(Panel, CallIn, PanelsAt);
        a.Load(PanelY, CallIn, YAt);
    }

    // One block by one panel, over all columns in their order.
    private static void Multiply(AmxAssembler a, bool tall, int ahead)
    {
        int tiles = tall ? 4 : 2;
        for (int tile = 0; tile < tiles; tile++) a.Zero(Sums + tile);
        a.Move(X, BlockX);
        a.Move(W, Panel);
        if (tall)
        {
            a.Move(LowX, BlockX);
            a.AddFrom(LowX, CallIn, TileXAt);
        }
        int turn = a.Here;
        if (ahead > 0)
            for (int line = 0; line < TurnBytes; line += 64) a.Prefetch(W, ahead + line);
        a.LoadTile(UpperX, X, XStride, 0);
        a.LoadTile(Weights, W, PairStride, 0);
        a.LoadTile(Weights + 1, W, PairStride, TileBytes);
        if (tall) a.LoadTile(LowerX, LowX, XStride, 0);
        for (int tile = 0; tile < tiles; tile++) a.Multiply(Sums + tile, UpperX + tile / 2, Weights + tile % 2);
        a.Add(X, TileBytes);
        if (tall) a.Add(LowX, TileBytes);
        a.Add(W, TurnBytes);
        a.Compare(W, PanelEnd);
        a.JumpIfBelow(turn);
    }

    private static void Store(AmxAssembler a, bool tall)
    {
        for (int tile = 0; tile < 2; tile++) a.StoreTile(Sums + tile, BlockY, YStride, tile * TileBytes);
        if (!tall) return;
        a.Move(LowY, BlockY);
        a.AddFrom(LowY, CallIn, TileYAt);
        for (int tile = 0; tile < 2; tile++) a.StoreTile(Sums + 2 + tile, LowY, YStride, tile * TileBytes);
    }
}
