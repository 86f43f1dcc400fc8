namespace Troupe.Devices.Fabric;

/// <summary>The ways that ranks reach each other.</summary>
public enum FabricKind
{
    /// <summary>Threads of one process; windows are plain memory.</summary>
    InProcess,

    /// <summary>Processes of one host; windows are files in /dev/shm.</summary>
    SharedMemory,

    /// <summary>Processes anywhere; windows are written through sockets.</summary>
    Tcp,

    /// <summary>Processes on several hosts; windows are files in /dev/shm, written directly on their host and through sockets from
    /// others.</summary>
    Mixed,
}
