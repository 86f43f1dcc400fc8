using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Troupe.Devices.Kernels.Cpu.Emitting;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>What <see cref="GroupLoops"/> does, bit for bit, where the processor lacks their instruction.</summary>
internal static unsafe class GroupProducts
{
    private const int Line = 64;

    /// <summary>Multiplies 1 or more rows with a panel of Int8 or, in halves of bytes, Int4.</summary>
    public static void Run(int rows, bool halves, GroupLoops.Call* call)
    {
        for (int row = 0; row < rows; row++)
            One(call->X + row * call->XStride, halves, call).Store(call->Y + row * call->YStride / sizeof(float));
    }

    private static Vector512<float> One(byte* x, bool halves, GroupLoops.Call* call)
    {
        byte* w = call->Panel, scales = w;
        Vector512<float> sum = default;
        for (long g = 0; g < 2 * call->Units; g++, x += Operands.GroupBytes, scales += Quantised.ScaleBytes)
        {
            if (g % 2 == 0)
            {
                scales = w;
                w += 2 * Quantised.ScaleBytes;
            }
            Vector512<int> products = Vector512.Create(*(int*)(x + Operands.CorrectionAt));
            for (int line = 0; line < (halves ? 4 : 8); line++, w += Line)
            {
                Vector512<ushort> bytes = Vector512.Load((ushort*)w);
                if (halves)
                {
                    Vector512<ushort> low = Vector512.Create((ushort)0x0F0F);
                    products = Add(products, bytes & low, (sbyte*)x + line * 4);
                    products = Add(products, (bytes >>> 4) & low, (sbyte*)x + line * 4 + 16);
                }
                else products = Add(products, bytes, (sbyte*)x + line * 4);
            }
            Vector512<float> scale = StoredBf16.Load(scales) * Vector512.Create(*(float*)(x + Operands.ScaleAt));
            sum = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(products), scale, sum);
        }
        return sum;
    }

    // Four products of bytes to a lane, as twice two of 16 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Add(Vector512<int> sum, Vector512<ushort> bytes, sbyte* x)
    {
        Vector512<short> even = (bytes & Vector512.Create((ushort)0xFF)).AsInt16(), odd = (bytes >>> 8).AsInt16();
        return sum + Pairs(even, x[0], x[2]) + Pairs(odd, x[1], x[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Pairs(Vector512<short> w, short first, short second)
    {
        if (Avx2.IsSupported)
        {
            Vector256<short> x = Vector256.Create((ushort)first | second << 16).AsInt16();
            return Vector512.Create(Avx2.MultiplyAddAdjacent(w.GetLower(), x), Avx2.MultiplyAddAdjacent(w.GetUpper(), x));
        }
        Vector512<int> both = w.AsInt32(); // no 16 bits are negative
        return (both & Vector512.Create(0xFFFF)) * first + (both >>> 16) * second;
    }
}
