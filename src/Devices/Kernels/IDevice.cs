namespace Troupe.Devices.Kernels;

/// <summary>
/// Where a rank computes. Its kernels run to their end before they return, so that nothing is left to synchronize: streams and events come
/// with the first device that has them. One thread at a time may call a device's kernels.
/// </summary>
public interface IDevice : IDisposable
{
    /// <summary>What it is, for people.</summary>
    string Name { get; }

    /// <summary>Threads that take part in a kernel, the caller included.</summary>
    int Threads { get; }

    /// <summary>The kernels.</summary>
    IKernels Kernels { get; }
}
