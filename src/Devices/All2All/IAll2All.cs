using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>Shapes that a strategy's windows are made for. All per rank.</summary>
/// <param name="MaxTokens">The most rows a rank dispatches at once (T).</param>
/// <param name="Hidden">Values in a row (H).</param>
/// <param name="TopK">Experts per token (K).</param>
/// <param name="Rows">How rows travel.</param>
public sealed record All2AllShape(int MaxTokens, int Hidden, int TopK, RowType Rows);

/// <summary>How a value of a row travels.</summary>
public enum RowType
{
    /// <summary>4 bytes.</summary>
    Fp32,

    /// <summary>2 bytes, rounded to nearest even.</summary>
    Bf16,
}

/// <summary>
/// One way to do dispatch and combine over one expert-parallel group. Calls come from the executor thread, in the same order on all ranks
/// of the group; each Dispatch is followed by the Combine of its handle. Every rank takes part in each, zero rows included.
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

    /// <summary>
    /// Sends this rank's rows to where their experts are. <paramref name="hidden"/>: [T, H]; <paramref name="experts"/>: [T, K] expert ids
    /// of the whole model, -1 for a masked slot; <paramref name="weights"/>: [T, K]. The point names epoch, step and layer for headers and
    /// errors. The handle may point at the caller's memory (a group of one rank does): keep it unmanaged or pinned, and unchanged until
    /// Combine.
    /// </summary>
    /// <returns>The rows that arrived here; valid until Combine.</returns>
    DispatchHandle Dispatch(StepPoint at, ReadOnlySpan<float> hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens);

    /// <summary>
    /// Sends partial sums back and adds them up. <paramref name="partial"/>: [N, H] for the N rows of the handle, each the weighted sum
    /// over this rank's experts, zeros where it holds none of the row's; <paramref name="output"/>: [T, H], overwritten, apart from the
    /// partial sums in memory. Consumes the handle.
    /// </summary>
    void Combine(StepPoint at, DispatchHandle handle, ReadOnlySpan<float> partial, Span<float> output);
}

/// <summary>
/// What a dispatch brought to this rank: N rows of the whole group, of which some choose experts that live here. Single use: Combine
/// consumes it. The object is reused by its strategy from dispatch to dispatch, so that the step's path allocates nothing.
/// </summary>
public sealed unsafe class DispatchHandle
{
    private float* _hidden;
    private int* _experts;
    private float* _weights;
    private int _hiddenSize, _topK;

    /// <summary>Rows that arrived, this rank's own included (N).</summary>
    public int Rows { get; private set; }

    /// <summary>Whether a dispatch is waiting for its combine.</summary>
    public bool Pending { get; private set; }

    /// <summary>Hidden rows, [N, H], grouped by source rank in ascending order.</summary>
    public ReadOnlySpan<float> Hidden => new(_hidden, Rows * _hiddenSize);

    /// <summary>Expert ids of the whole model, [N, K]; -1 where masked. Experts that live elsewhere are to be skipped.</summary>
    public ReadOnlySpan<int> Experts => new(_experts, Rows * _topK);

    /// <summary>Router weights, [N, K].</summary>
    public ReadOnlySpan<float> Weights => new(_weights, Rows * _topK);

    /// <summary>Fills the handle; for strategies. The memory stays the strategy's.</summary>
    public void Fill(int rows, float* hidden, int hiddenSize, int* experts, float* weights, int topK)
    {
        if (Pending) throw new InvalidOperationException("the last dispatch was not combined: each Dispatch needs its Combine");
        _hidden = hidden;
        _experts = experts;
        _weights = weights;
        (Rows, _hiddenSize, _topK, Pending) = (rows, hiddenSize, topK, true);
    }

    /// <summary>Marks the handle as combined; for strategies.</summary>
    public void Consume()
    {
        if (!Pending) throw new InvalidOperationException("this dispatch was already combined: a handle is single use");
        Pending = false;
    }
}
