namespace Troupe.Devices.Kernels.Reference;

/// <summary>Naive loops on the calling thread: the oracle that other devices are compared with.</summary>
public sealed class ReferenceDevice : IDevice
{
    /// <inheritdoc/>
    public string Name => "reference (naive loops)";

    /// <inheritdoc/>
    public int Threads => 1;

    /// <inheritdoc/>
    public IKernels Kernels { get; } = new ReferenceKernels();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
