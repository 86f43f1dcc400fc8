namespace Troupe.Devices.All2All;

/// <summary>What callers owe every strategy.</summary>
internal static unsafe class All2AllCheck
{
    public static void Dispatch(All2AllShape shape, Strategy strategy, DispatchHandle handle, HiddenRows hidden,
        ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens)
    {
        if (handle.Pending) throw new InvalidOperationException("the last dispatch was not combined: each Dispatch needs its Combine");
        int capacity = Strategies.Capacity(strategy, shape);
        if ((uint)tokens > (uint)capacity)
        {
            throw new ArgumentOutOfRangeException(nameof(tokens),
                $"{tokens} rows do not fit {capacity} of {Strategies.NameOf(strategy)}: split the batch, or reserve a larger shape");
        }
        long values = (long)tokens * shape.Hidden, slots = (long)tokens * shape.TopK;
        if (hidden.Length < values || experts.Length < slots || weights.Length < slots)
        {
            throw new ArgumentException($"{tokens} rows of hidden {shape.Hidden} and top-k {shape.TopK} need {values} values "
                + $"and {slots} ids and weights, got {hidden.Length}, {experts.Length} and {weights.Length}", nameof(hidden));
        }
    }

    /// <summary>The token of a row that arrived; refuses what no healthy source sends.</summary>
    public static int Token(int* slots, All2AllShape shape, GroupLink link, int source)
    {
        int token = slots[1 + 2 * shape.TopK];
        if ((uint)token < (uint)shape.MaxTokens && (uint)slots[0] <= (uint)shape.TopK) return token;
        throw link.Refuse(link.Group[source], $"sent a row of token {token} with {slots[0]} experts: "
            + $"tokens must be below {shape.MaxTokens}, experts at most {shape.TopK}");
    }

    public static void Output(int length, int tokens, All2AllShape shape)
    {
        if (length < (long)tokens * shape.Hidden)
            throw new ArgumentException($"{tokens} rows at hidden {shape.Hidden} do not fit an output of {length} values", nameof(length));
    }
}
