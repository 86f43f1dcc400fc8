namespace Troupe.Devices.All2All;

/// <summary>
/// Each rank publishes its rows once in a mapped workspace, and receivers read them there; partial sums likewise.
/// <para>What moves when. Dispatch: this rank's rows go once into its own window, in their wire type, however many ranks need them; each
/// rank that does gets a list of tokens, experts and weights, then one flag with the count. The experts read the rows in the source's
/// window. Combine: one flag; the owner of a row reads the partial sums where they were made.</para>
/// <para>Bytes between ranks, with D = R (1 - C(E - E/R, K) / C(E, K)) ranks hit per row: D (R-1)/R T (8K + 8) written, D (R-1)/R T Hb
/// read by the experts and D (R-1)/R T Hc read by the owner. A rank writes T rows, not D T. No messages but R-1 flags each way.</para>
/// <para>When it wins: on one host, where rows hit several ranks, for a row is copied once instead of D times, and for experts that read a
/// row once. An expert that reads a row many times pays for the distance each time, unless it makes a copy. Needs addressable
/// windows.</para>
/// <para>After: the workspace of FlashInfer's and TensorRT-LLM's all-to-all (pull through peer memory).</para>
/// </summary>
internal static class Workspace
{
    public static Traits Traits { get; } = new(Strategy.Workspace, PullRows: true, PullSums: true);
}
