using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// What rows are turned into before they meet a weight: decided by the weight and by whether sums may be fast, never by how many rows
/// there are.
/// </summary>
internal enum Operand
{
    /// <summary>Nothing: fp32.</summary>
    Floats,

    /// <summary>bf16, for bf16 weights where the processor multiplies these.</summary>
    Halves,

    /// <summary>Integers with scales, for weights that are so.</summary>
    Integers,
}

/// <summary>Makes operands.</summary>
internal static unsafe class Operands
{
    private struct Job
    {
        public float* X;
        public ushort* To;
        public int Columns;
    }

    /// <summary>What a weight wants.</summary>
    public static Operand Of(Weight weight, bool fast) =>
        weight.Type.IsPanel() ? Operand.Integers
        : fast && weight.Type == ElementType.BF16 && HalfTiles.Suits(weight.Columns) && Emitted.IsSupported ? Operand.Halves
        : Operand.Floats;

    /// <summary>Values of fp32 that a row takes as much room as.</summary>
    public static int Stride(Operand operand, int columns) => operand switch
    {
        Operand.Integers => QuantisedRows.Stride(columns),
        Operand.Halves => columns / 2,
        _ => columns,
    };

    /// <summary>x: [rows, columns]; to: [rows, stride]. Not for fp32, which stays where it is.</summary>
    public static void Make(WorkerPool pool, Operand operand, float* x, int rows, Weight weight, float* to)
    {
        if (operand == Operand.Integers)
        {
            QuantisedRows.Run(pool, x, rows, weight.Columns, weight.Type, to);
            return;
        }
        var job = new Job { X = x, To = (ushort*)to, Columns = weight.Columns };
        pool.For(&Halves, &job, rows, weight.Columns / 2);
    }

    private static void Halves(void* data, int first, int end)
    {
        ref Job job = ref *(Job*)data;
        HalfTiles.Round(job.X + (long)first * job.Columns, job.To + (long)first * job.Columns, (end - first) * job.Columns);
    }
}
