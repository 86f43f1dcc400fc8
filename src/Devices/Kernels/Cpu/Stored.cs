using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// How 16 stored values become a vector. Kernels are generic over it, so that each type has code of its own. All kernels are written in
/// Vector512; where the machine has less, the JIT splits it into two Vector256 (measured: 57 of 99 GFLOP/s on AVX2) or four Vector128, with
/// the same 16 sums and so the same bits.
/// </summary>
internal unsafe interface IStored
{
    /// <summary>Bytes of one value.</summary>
    static abstract int Size { get; }

    /// <summary>16 values; the address may be unaligned.</summary>
    static abstract Vector512<float> Load(byte* from);

    /// <summary>One value.</summary>
    static abstract float One(byte* from);
}

internal unsafe struct StoredF32 : IStored
{
    public static int Size => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(byte* from) => Vector512.Load((float*)from);

    public static float One(byte* from) => *(float*)from;
}

internal unsafe struct StoredBf16 : IStored
{
    public static int Size => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(byte* from) =>
        (Vector512.WidenLower(Vector256.Load((ushort*)from).ToVector512Unsafe()) << 16).AsSingle();

    public static float One(byte* from) => Elements.FromBf16(*(ushort*)from);
}

internal unsafe struct StoredF16 : IStored
{
    public static int Size => 2;

    // Exponent and mantissa move up by 13 bits, the product with 2^112 corrects the exponent's bias (subnormals too), and infinities and
    // NaNs get their exponent filled.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(byte* from)
    {
        Vector512<uint> half = Vector512.WidenLower(Vector256.Load((ushort*)from).ToVector512Unsafe());
        Vector512<uint> magnitude = (half & Vector512.Create(0x7FFFu)) << 13;
        Vector512<uint> scaled = (magnitude.AsSingle() * Vector512.Create(BitConverter.UInt32BitsToSingle((127 + 112) << 23))).AsUInt32();
        Vector512<uint> special = Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(0x7C00u << 13)) & Vector512.Create(0x7F80_0000u);
        return (scaled | special | ((half & Vector512.Create(0x8000u)) << 16)).AsSingle();
    }

    public static float One(byte* from) => (float)*(Half*)from;
}

/// <summary>Loads, stores and sums of 16 lanes that all kernels share.</summary>
internal static unsafe class Lanes
{
    /// <summary>Values in a vector.</summary>
    public const int Count = 16;

    /// <summary>The first values of a vector, the rest zero; reads nothing beyond them.</summary>
    public static Vector512<float> LoadTail<T>(byte* from, int count) where T : IStored
    {
        float* lanes = stackalloc float[Count];
        for (int i = 0; i < Count; i++) lanes[i] = i < count ? T.One(from + i * T.Size) : 0;
        return Vector512.Load(lanes);
    }

    /// <summary>The same for fp32.</summary>
    public static Vector512<float> LoadTail(float* from, int count) => LoadTail<StoredF32>((byte*)from, count);

    /// <summary>Writes the first values of a vector.</summary>
    public static void StoreTail(Vector512<float> value, float* to, int count)
    {
        float* lanes = stackalloc float[Count];
        value.Store(lanes);
        for (int i = 0; i < count; i++) to[i] = lanes[i];
    }

    /// <summary>The sum of all lanes, always in this order: halves, quarters, pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> v)
    {
        Vector128<float> q = Quarter(v);
        return q.GetElement(0) + q.GetElement(2) + (q.GetElement(1) + q.GetElement(3));
    }

    /// <summary>The sums of four vectors, each in the order of <see cref="Sum"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        Vector256<float> ab = Vector256.Create(Quarter(a), Quarter(b)), cd = Vector256.Create(Quarter(c), Quarter(d));
        // [a0+a2, a1+a3, ., ., b0+b2, b1+b3, ., .] by adding each quarter's upper pair to its lower one.
        ab += Vector256.Shuffle(ab, Vector256.Create(2, 3, 0, 1, 6, 7, 4, 5));
        cd += Vector256.Shuffle(cd, Vector256.Create(2, 3, 0, 1, 6, 7, 4, 5));
        ab += Vector256.Shuffle(ab, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6));
        cd += Vector256.Shuffle(cd, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6));
        return Vector128.Create(ab.GetElement(0), ab.GetElement(4), cd.GetElement(0), cd.GetElement(4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Quarter(Vector512<float> v)
    {
        Vector256<float> half = v.GetLower() + v.GetUpper();
        return half.GetLower() + half.GetUpper();
    }
}
