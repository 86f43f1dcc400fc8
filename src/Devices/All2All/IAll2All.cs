using Troupe.Devices.Fabric;

namespace Troupe.Devices.All2All;

/// <summary>Shapes that a group's windows are made for, the same on all ranks. All per rank.</summary>
/// <param name="MaxTokens">The most rows a rank dispatches at once (T); the capacity of every strategy without one of its own.</param>
/// <param name="Hidden">Values in a row (H).</param>
/// <param name="TopK">Experts per token (K).</param>
/// <param name="Rows">How rows travel.</param>
public sealed record All2AllShape(int MaxTokens, int Hidden, int TopK, RowType Rows)
{
    /// <summary>The most rows that any shape may have: they are counted in 13 bits of a header.</summary>
    public const int MostTokens = (1 << 13) - 1;

    /// <summary>What is wrong, or null.</summary>
    public string? Problem() =>
        MaxTokens is < 1 or > MostTokens ? $"rows per rank must be in [1, {MostTokens}], got {MaxTokens}"
        : Hidden < 1 ? $"hidden must be at least 1, got {Hidden}"
        : TopK < 1 ? $"top-k must be at least 1, got {TopK}" : null;
}

/// <summary>The rows of a caller, fp32 or bf16: [T, H].</summary>
public readonly unsafe ref struct HiddenRows
{
    private readonly ReadOnlySpan<float> _floats;
    private readonly ReadOnlySpan<ushort> _halves;

    private HiddenRows(ReadOnlySpan<float> floats, ReadOnlySpan<ushort> halves)
    {
        _floats = floats;
        _halves = halves;
    }

    internal bool IsBf16 => _halves.Length > 0;

    internal int Length => IsBf16 ? _halves.Length : _floats.Length;

    internal ReadOnlySpan<float> Floats => _floats;

    internal ReadOnlySpan<ushort> Halves => _halves;

    /// <summary>Rows of fp32.</summary>
    public static implicit operator HiddenRows(ReadOnlySpan<float> rows) => new(rows, default);

    /// <summary>Rows of fp32.</summary>
    public static implicit operator HiddenRows(Span<float> rows) => new(rows, default);

    /// <summary>Rows of fp32.</summary>
    public static implicit operator HiddenRows(float[] rows) => new(rows, default);

    /// <summary>Rows of bf16.</summary>
    public static implicit operator HiddenRows(ReadOnlySpan<ushort> rows) => new(default, rows);
}

/// <summary>
/// One way to do dispatch and combine over one expert-parallel group. Calls come from the executor thread, in the same order on all ranks
/// of the group; each dispatch is followed by the combine of its handle. Every rank takes part in each, zero rows included, with the same
/// step, layer and strategy: what a rank says in its header is checked by every other.
/// <para>Results are bit for bit those of the reference at equal row type. In a group of several ranks each row is rounded once to the row
/// type before experts see it, and each rank's partial sum (over its local experts in ascending expert order, fp32) once before it is
/// added: on every rank, the token's own too, so that a token's result does not depend on which rank it came from. Partial sums are added
/// in ascending rank order, starting from +0 (so that a rank that hits no expert of a row may send zeros or nothing). A group of one rank
/// rounds nothing.</para>
/// </summary>
public interface IAll2All : IDisposable
{
    /// <summary>The strategy's name as users write it.</summary>
    string Name { get; }

    /// <summary>Payload bytes that went to or came from other ranks because of this rank's own rows and partial sums.</summary>
    long BytesToOthers { get; }

    /// <summary>
    /// Starts to send this rank's rows to where their experts are. hidden: [T, H]; <paramref name="experts"/>: [T, K] expert ids of the
    /// whole model, -1 for a masked slot; <paramref name="weights"/>: [T, K]. The point names epoch, step and layer. The rows must stay in
    /// place (unmanaged or pinned memory) and unchanged until the combine. <paramref name="leave"/> asks the group to leave its lease.
    /// </summary>
    void PostDispatch(StepPoint at, HiddenRows hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens,
        bool leave = false);

    /// <summary>Waits for the headers of all ranks, and for rows where the strategy has no tiles.</summary>
    /// <returns>The rows that arrive here; valid until the combine.</returns>
    DispatchHandle WaitDispatch();

    /// <summary>Starts to send the partial sums, which lie where the handle says, back to where their rows came from.</summary>
    void PostCombine(StepPoint at, DispatchHandle handle);

    /// <summary>Waits for the partial sums of this rank's rows and adds them up. output: [T, H], overwritten.</summary>
    void WaitCombine(Span<float> output);

    /// <summary>The same with an output of bf16, rounded once from the fp32 sum.</summary>
    void WaitCombine(Span<ushort> output);
}

/// <summary>What the headers of a dispatch came to; the same on all ranks of the group.</summary>
/// <param name="Leave">Some rank asked to leave the lease.</param>
/// <param name="AllIdle">No rank brought a row.</param>
public readonly record struct StepVerdict(bool Leave, bool AllIdle);

/// <summary>Dispatch and combine in one call each, for callers that have nothing to do in between.</summary>
public static class All2AllCalls
{
    /// <summary>Sends the rows and waits for those that come here; see <see cref="IAll2All.PostDispatch"/>.</summary>
    public static DispatchHandle Dispatch(this IAll2All all2all, StepPoint at, HiddenRows hidden, ReadOnlySpan<int> experts,
        ReadOnlySpan<float> weights, int tokens, bool leave = false)
    {
        all2all.PostDispatch(at, hidden, experts, weights, tokens, leave);
        return all2all.WaitDispatch();
    }

    /// <summary>
    /// Sends partial sums back and adds them up. <paramref name="partial"/>: [N, H] for the N rows of the handle, zeros for rows without a
    /// local expert; <paramref name="output"/>: [T, H], overwritten.
    /// </summary>
    public static void Combine(this IAll2All all2all, StepPoint at, DispatchHandle handle, ReadOnlySpan<float> partial, Span<float> output)
    {
        handle.Await(handle.Rows - 1);
        handle.Encode(0, handle.Rows, partial);
        all2all.PostCombine(at, handle);
        all2all.WaitCombine(output);
    }
}
