namespace Troupe.Devices.Fabric;

/// <summary>
/// Who a window or a connection belongs to. It stands at the start of every window and of every handshake; all but the rank must be equal.
/// </summary>
internal struct FabricIdentity
{
    private const ulong TroupeMagic = 0x0000_4550_554F_5254; // "TROUPE" in ASCII, little-endian
    private const int CurrentVersion = 1;

    public ulong Magic;
    public int Version;
    public int WorldSize;
    public int Rank;
    public int Flags;
    public long Epoch;
    public ulong PlanSignature;
    public long PlanBytes;

    public static FabricIdentity Of(FabricSetup setup) => new()
    {
        Magic = TroupeMagic,
        Version = CurrentVersion,
        WorldSize = setup.World.Size,
        Rank = setup.Self.Value,
        Flags = setup.Plan.Flags,
        Epoch = setup.Epoch.Value,
        PlanSignature = setup.Plan.Signature,
        PlanBytes = setup.Plan.Bytes,
    };

    /// <summary>Why a peer that shows <paramref name="theirs"/> cannot be rank <paramref name="peer"/> of the same fabric, or
    /// null.</summary>
    public readonly string? Refuses(in FabricIdentity theirs, int peer) => theirs switch
    {
        _ when theirs.Magic != Magic => $"what rank {peer} published is not a window of Troupe",
        _ when theirs.Version != Version =>
            $"rank {peer} speaks fabric version {theirs.Version}, this rank {Version}: run the same build everywhere",
        _ when theirs.Epoch != Epoch => $"rank {peer} is in epoch {theirs.Epoch}, this rank in epoch {Epoch}",
        _ when theirs.WorldSize != WorldSize =>
            $"rank {peer} counts {theirs.WorldSize} ranks, this rank {WorldSize}: "
            + "give every node the same --stages, --replicas and --tensor",
        _ when theirs.Rank != peer => $"rank {peer}'s descriptor leads to rank {theirs.Rank}: descriptors must be in rank order",
        _ when theirs.PlanSignature != PlanSignature || theirs.PlanBytes != PlanBytes || theirs.Flags != Flags =>
            $"rank {peer} planned its window differently ({Plan(theirs)}) than this rank ({Plan(this)}): "
            + "every rank must make the same reservations in the same order; do model and options match?",
        _ => null,
    };

    private static string Plan(in FabricIdentity id) => $"{id.PlanBytes} bytes, {id.Flags} flags, signature {id.PlanSignature:x16}";
}
