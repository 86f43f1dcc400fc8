using System.Numerics;

namespace Troupe.Cli.Measures;

/// <summary>How fast this machine reads memory: the bound that decoding runs against.</summary>
internal static class MemoryBandwidth
{
    private const int BytesPerThread = 128 << 20, Passes = 4;

    /// <summary>
    /// Bytes a second that some threads read together, each its own memory; the best of a few passes. Takes about a second.
    /// </summary>
    public static double Measure(int threads, TimeProvider clock)
    {
        long[][] memory = [.. Enumerable.Range(0, threads).Select(_ => GC.AllocateUninitializedArray<long>(BytesPerThread / sizeof(long)))];
        foreach (long[] own in memory) Array.Fill(own, 1);
        double best = 0;
        for (int pass = 0; pass < Passes; pass++)
        {
            long started = clock.GetTimestamp();
            Thread[] readers = [.. memory.Select(own => new Thread(() => Read(own)))];
            foreach (Thread reader in readers) reader.Start();
            foreach (Thread reader in readers) reader.Join();
            best = Math.Max(best, (double)threads * BytesPerThread / clock.GetElapsedTime(started).TotalSeconds);
        }
        return best;
    }

    private static void Read(long[] memory)
    {
        // Four sums, so that one addition's latency does not bound the reads.
        Vector<long> a = default, b = default, c = default, d = default;
        int width = Vector<long>.Count;
        for (int i = 0; i + (4 * width) <= memory.Length; i += 4 * width)
        {
            a += new Vector<long>(memory, i);
            b += new Vector<long>(memory, i + width);
            c += new Vector<long>(memory, i + (2 * width));
            d += new Vector<long>(memory, i + (3 * width));
        }
        if (Vector.Sum(a + b + c + d) == 0) throw new InvalidOperationException("memory that was filled with ones sums to 0");
    }
}
