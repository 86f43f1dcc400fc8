using System.Runtime.CompilerServices;
using Troupe.Devices.Kernels.Cpu.Emitting;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// y[r, n - from] = x[r] . w[n] for some rows and some outputs of a weight, on one thread. Rows are operands (see <see cref="Operands"/>)
/// that follow each other; from is a multiple of 32. Every value is summed in one order, however many rows and outputs there are.
/// </summary>
internal static unsafe class Products
{
    /// <summary>Outputs that items of work are multiples of.</summary>
    public const int Outputs = 32;

    /// <summary>Rows that stay near while weights pass by: whole turns of the loops, and of tiles.</summary>
    public const int Rows = 96;

    /// <summary>Rows, and where they are. XStride: bytes; YStride: values.</summary>
    public struct Call
    {
        public byte* X;
        public long XStride;
        public int Rows;
        public float* Y;
        public long YStride;
        public byte* Next; // the weights that are read after these
    }

    /// <summary>Multiplies.</summary>
    public static void Run(Weight* weight, int from, int outputs, Call call)
    {
        if (weight->Type == ElementType.PackedBf16) Packed(weight, from, outputs, call);
        else if (weight->Type.IsPanel()) Grouped(weight, from, outputs, call);
        else Plain(weight, from, outputs, call);
    }

    private static void Plain(Weight* weight, int from, int outputs, Call call)
    {
        delegate*<int, FourRows, Weight*, int, int, FourRows, byte*, void> dots = Dots.Of(weight->Type);
        long stride = call.XStride / sizeof(float);
        for (int row = 0; row < call.Rows; row += 4)
        {
            FourRows x = FourRows.From((float*)call.X + row * stride, stride), y = FourRows.From(call.Y + row * call.YStride, call.YStride);
            dots(Math.Min(4, call.Rows - row), x, weight, from, outputs, y, row + 4 < call.Rows ? weight->Row(from) : call.Next);
        }
    }

    [SkipLocalsInit]
    private static void Packed(Weight* weight, int from, int outputs, Call call)
    {
        int columns = Panels.WholeColumns(weight->Type, weight->Columns), whole = outputs / Outputs, rest = outputs % Outputs;
        Multiply(call, weight->Row(from), columns, whole);
        if (rest == 0) return;
        float* part = stackalloc float[Rows * Outputs];
        float* y = call.Y + whole * Outputs;
        (int end, long stride) = (call.Rows, call.YStride);
        for (int row = 0; row < end; row += Rows)
        {
            call.Rows = Math.Min(Rows, end - row);
            call.Y = part;
            call.YStride = Outputs;
            Multiply(call, weight->Row(from + whole * Outputs), columns, 1);
            Copy(part, Outputs, y + row * stride, stride, call.Rows, rest);
            call.X += Rows * call.XStride;
        }
    }

    // Panels of 32 outputs. All of a processor's products are of one kind: others would have other bits.
    private static void Multiply(Call call, byte* panels, int columns, int count)
    {
        long bytes = CodedPanel.Bytes(columns);
        for (int panel = 0; panel < count; panel++, panels += bytes, call.Y += Outputs)
        {
            var head = (CodedPanel.Head*)panels;
            if (AmxTiles.IsSupported) Tiles(call, panels, head->Plain, columns);
            else Pairs(call, panels, head->Plain, columns);
            if (head->Patches > 0) AddPatches(call, CodedPanel.Patches(panels, columns), head->Patches);
        }
    }

    // Tiles are loaded from memory: what is coded must be plain first.
    private static void Tiles(Call call, byte* coded, ushort* plain, int columns)
    {
        if (plain == null) CodedPanel.Expand(coded, plain = Panels.Plain(columns), columns);
        AmxTiles.Rows(call.Rows, (ushort*)call.X, call.XStride / sizeof(ushort), (byte*)plain, columns, 1, call.Y, call.YStride);
    }

    private static void Pairs(Call call, byte* coded, ushort* plain, int columns)
    {
        var loop = new PairLoops.Call
        {
            X = call.X, XStride = call.XStride, Panel = plain == null ? coded + CodedPanel.HeadBytes : (byte*)plain, Turns = columns / 8,
            Y = call.Y, YStride = call.YStride * sizeof(float), Table = (ushort*)coded, Mask = PairLoops.SignAndMantissa,
        };
        for (int row = 0, some; row < call.Rows; row += some)
        {
            some = Turn(call.Rows - row, PairLoops.MostRows);
            PairLoops.Of(some, plain == null)(&loop);
            loop.X += some * loop.XStride;
            loop.Y += some * call.YStride;
        }
    }

    // Behind the sum of all others, one after the other: their order is that of the panel.
    private static void AddPatches(Call call, CodedPanel.Patch* patches, int count)
    {
        for (int row = 0; row < call.Rows; row++)
        {
            var x = (ushort*)(call.X + row * call.XStride);
            float* y = call.Y + row * call.YStride;
            for (int i = 0; i < count; i++)
                y[patches[i].At % Outputs] += Elements.FromBf16(x[patches[i].At / Outputs]) * patches[i].Value;
        }
    }

    [SkipLocalsInit]
    private static void Grouped(Weight* weight, int from, int outputs, Call call)
    {
        const int panel = 16;
        bool halves = weight->Type == ElementType.Int4;
        float* part = stackalloc float[GroupLoops.MostRows * panel];
        for (int n = 0; n < outputs; n += panel)
        {
            int count = Math.Min(panel, outputs - n);
            var loop = new GroupLoops.Call
            {
                XStride = call.XStride, Panel = weight->Row(from + n),
                Units = Panels.WholeColumns(weight->Type, weight->Columns) / (2 * Elements.Group), Mask = 0x0F0F0F0F,
            };
            for (int row = 0, some; row < call.Rows; row += some)
            {
                some = Turn(call.Rows - row, GroupLoops.MostRows);
                float* y = call.Y + row * call.YStride + n;
                loop.X = call.X + row * call.XStride;
                loop.Y = count == panel ? y : part;
                loop.YStride = (count == panel ? call.YStride : panel) * sizeof(float);
                if (GroupLoops.IsSupported) GroupLoops.Of(some, halves)(&loop);
                else GroupProducts.Run(some, halves, &loop);
                if (count < panel) Copy(part, panel, y, call.YStride, some, count);
            }
        }
    }

    // Rows of the next turn: as even a split as there is, so that no last turn is left with one row.
    private static int Turn(int rows, int most)
    {
        int turns = (rows + most - 1) / most;
        return (rows + turns - 1) / turns;
    }

    private static void Copy(float* from, int fromStride, float* to, long toStride, int rows, int count)
    {
        for (int row = 0; row < rows; row++)
            new ReadOnlySpan<float>(from + row * fromStride, count).CopyTo(new Span<float>(to + row * toStride, count));
    }
}
