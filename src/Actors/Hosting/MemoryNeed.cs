namespace Troupe.Actors.Hosting;

/// <summary>What the ranks of a layout that share a host take of its memory. Bytes; activations and the runtime itself are small beside
/// it.</summary>
/// <param name="Ranks">How many ranks.</param>
/// <param name="Weights">Of all ranks together.</param>
/// <param name="Mapped">Whether the weights are used where the file lies: ranks share its pages, which count once.</param>
/// <param name="Kv">KV caches of all of them together.</param>
/// <param name="Window">Window of one rank.</param>
public sealed record MemoryNeed(int Ranks, long Weights, bool Mapped, long Kv, long Window)
{
    /// <summary>All of it.</summary>
    public long Total => Weights + Kv + Ranks * Window;

    /// <summary>The arithmetic in one line where it is more than there is, else null.</summary>
    public string? Problem(long available)
    {
        if (Total <= available) return null;
        string ranks = Ranks == 1 ? "1 rank needs" : $"{Ranks} ranks need";
        return $"{ranks} {MiB(Total)} MiB of memory = {MiB(Weights)} for weights{(Mapped ? " (mapped once)" : "")} + "
            + $"{MiB(Kv)} for KV + {Ranks} x {MiB(Window)} for windows, but {available >> 20} MiB are available: {Advice}";
    }

    private string Advice => Math.Max(Weights, Math.Max(Kv, Ranks * Window)) is var most && most == Weights
        ? Mapped || Ranks == 1 ? "use a smaller model, or more hosts" : "use fewer --replicas, a smaller model, or more hosts"
        : most == Kv ? "use a smaller troupe.scheduler.kv-tokens, or fewer --replicas"
        : "use fewer --replicas, or a smaller troupe.scheduler.prefill-chunk";

    private static long MiB(long bytes) => (bytes + (1 << 20) - 1) >> 20;
}
