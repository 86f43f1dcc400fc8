using System.Runtime.InteropServices;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;

namespace Troupe.Model.Tests.Layers;

/// <summary>
/// The simplest exchange between members that are threads of one process: everybody sees all rows, and adds up all partial sums in
/// ascending order. Members meet at a barrier with a deadline.
/// </summary>
internal sealed class InMemoryGroup : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private readonly Barrier _barrier;
    private readonly Member[] _members;

    public InMemoryGroup(int members, All2AllShape shape)
    {
        _barrier = new Barrier(members);
        _members = [.. Enumerable.Range(0, members).Select(i => new Member(this, i, shape, members))];
    }

    public IAll2All this[int member] => _members[member];

    public void Dispose()
    {
        foreach (Member member in _members) member.Dispose();
        _barrier.Dispose();
    }

    private void Meet()
    {
        if (_members.Length > 1 && !_barrier.SignalAndWait(Deadline)) throw new TimeoutException("a member never came to the exchange");
    }

    private sealed unsafe class Member(InMemoryGroup group, int index, All2AllShape shape, int members) : IAll2All
    {
        private readonly float* _hidden = Room(shape.MaxTokens * shape.Hidden), _partial = Room(members * shape.MaxTokens * shape.Hidden);
        private readonly float* _weights = Room(shape.MaxTokens * shape.TopK), _allHidden = Room(members * shape.MaxTokens * shape.Hidden);
        private readonly float* _allWeights = Room(members * shape.MaxTokens * shape.TopK);
        private readonly int* _experts = (int*)Room(shape.MaxTokens * shape.TopK);
        private readonly int* _allExperts = (int*)Room(members * shape.MaxTokens * shape.TopK);
        private readonly DispatchHandle _handle = new();
        private int _tokens;

        public string Name => "in_memory";

        public DispatchHandle Dispatch(
            StepPoint at, ReadOnlySpan<float> hidden, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights, int tokens)
        {
            hidden.CopyTo(new Span<float>(_hidden, hidden.Length));
            experts.CopyTo(new Span<int>(_experts, experts.Length));
            weights.CopyTo(new Span<float>(_weights, weights.Length));
            _tokens = tokens;
            group.Meet();
            int row = 0;
            foreach (Member m in group._members)
            {
                (int values, int choices) = (m._tokens * shape.Hidden, m._tokens * shape.TopK);
                new Span<float>(m._hidden, values).CopyTo(new Span<float>(_allHidden + row * shape.Hidden, values));
                new Span<int>(m._experts, choices).CopyTo(new Span<int>(_allExperts + row * shape.TopK, choices));
                new Span<float>(m._weights, choices).CopyTo(new Span<float>(_allWeights + row * shape.TopK, choices));
                row += m._tokens;
            }
            _handle.Fill(row, _allHidden, shape.Hidden, _allExperts, _allWeights, shape.TopK);
            return _handle;
        }

        public void Combine(StepPoint at, DispatchHandle handle, ReadOnlySpan<float> partial, Span<float> output)
        {
            partial.CopyTo(new Span<float>(_partial, partial.Length));
            group.Meet();
            int first = 0;
            for (int m = 0; m < index; m++) first += group._members[m]._tokens * shape.Hidden;
            output.Clear();
            for (int i = 0; i < output.Length; i++)
                foreach (Member m in group._members) output[i] += m._partial[first + i];
            handle.Consume();
            group.Meet();
        }

        public void Dispose()
        {
            foreach (nint block in (ReadOnlySpan<nint>)[(nint)_hidden, (nint)_partial, (nint)_weights, (nint)_allHidden, (nint)_allWeights,
                         (nint)_experts, (nint)_allExperts])
                NativeMemory.Free((void*)block);
        }

        private static float* Room(int count) => (float*)NativeMemory.AllocZeroed((nuint)count, sizeof(float));
    }
}
