using System.Runtime.InteropServices;

namespace Troupe.Devices.Tensors;

/// <summary>
/// Zeroed native memory, aligned to a cache line, with one owner: whoever disposes it. The garbage collector never moves it.
/// </summary>
public sealed unsafe class NativeBuffer : IDisposable
{
    private const nuint Alignment = 64;
    private const int HugePages = 14, PopulateWrite = 23; // MADV_HUGEPAGE, MADV_POPULATE_WRITE
    private byte* _block, _data;

    /// <summary>Takes memory for some bytes.</summary>
    /// <exception cref="OutOfMemoryException">The system has no more.</exception>
    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        // Zeroed by the system, so that pages that are never touched cost nothing; aligned by hand, since that call cannot.
        _block = (byte*)NativeMemory.AllocZeroed((nuint)bytes + Alignment);
        _data = (byte*)(((nuint)_block + Alignment - 1) / Alignment * Alignment);
    }

    /// <summary>
    /// Says that the memory is full by now and read all the time: the system may put it into large pages, little by little. Asked for
    /// before, large pages make filling slow where the system has to find them first (measured in a virtual machine: 4.2 in place of 0.9 s
    /// for 2 GB), and give 5 to 10 % of reading.
    /// </summary>
    public void PreferLargePages() => Advise(_block, Bytes, HugePages);

    /// <summary>Says that all of some memory is written now: its pages come at once, which costs half of what they do one by one.</summary>
    public static void Expect(byte* first, long bytes) => Advise(first, bytes, PopulateWrite);

    // Hints about whole pages: whatever the system makes of them, the memory is there.
    private static void Advise(byte* at, long bytes, int advice)
    {
        nuint page = (nuint)Environment.SystemPageSize, first = ((nuint)at + page - 1) / page * page;
        nuint end = ((nuint)at + (nuint)bytes) / page * page;
        if (OperatingSystem.IsLinux() && end > first) _ = MAdvise((void*)first, end - first, advice);
    }

    /// <summary>Room for some float32 values.</summary>
    public static NativeBuffer OfFloats(long count) => new(count * sizeof(float));

    /// <summary>How many bytes it has.</summary>
    public long Bytes { get; }

    /// <summary>The first byte.</summary>
    public byte* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_data is null, this);
            return _data;
        }
    }

    /// <summary>The first values as float32.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The buffer holds fewer.</exception>
    public Span<float> Floats(int count)
    {
        if (count < 0 || count > Bytes / sizeof(float))
            throw new ArgumentOutOfRangeException(nameof(count), $"the buffer holds {Bytes / sizeof(float)} values, asked for {count}");
        return new Span<float>(Data, count);
    }

    /// <summary>The first values as int32.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The buffer holds fewer.</exception>
    public Span<int> Ints(int count) => MemoryMarshal.Cast<float, int>(Floats(count));

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_block);
        _block = _data = null;
    }

    [DllImport("libc", EntryPoint = "madvise", ExactSpelling = true)]
    private static extern int MAdvise(void* at, nuint bytes, int advice);
}
