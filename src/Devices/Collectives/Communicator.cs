using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Collectives;

/// <summary>A communicator over one-sided writes: collectives are exchanges, messages go through two slots per sender.</summary>
public sealed class Communicator : ICommunicator
{
    /// <summary>The most bytes of a message's header.</summary>
    public const int MaxHeaderBytes = CommunicatorPlan.ValuesOffset - 2 * sizeof(long);

    private readonly IFabric _fabric;
    private readonly CommunicatorPlan _plan;
    private readonly long[] _sent, _taken, _posted; // per member, counted from 1

    /// <summary>Makes the communicator of this rank's group; every member does, over the same reservation.</summary>
    public Communicator(IFabric fabric, RankGroup group, CommunicatorPlan plan)
    {
        (_fabric, _plan) = (fabric, plan);
        Exchange = new Exchange(fabric, group, plan.Exchange);
        (_sent, _taken, _posted) = (new long[group.Size], new long[group.Size], new long[group.Size]);
    }

    /// <inheritdoc/>
    public RankGroup Group => Exchange.Group;

    /// <inheritdoc/>
    public int Position => Exchange.Position;

    /// <inheritdoc/>
    public Exchange Exchange { get; }

    /// <inheritdoc/>
    public void Send<THeader, T>(RankId to, in THeader header, ReadOnlySpan<T> values)
        where THeader : unmanaged
        where T : unmanaged
    {
        int member = Peer(to, sends: true);
        var bytes = MemoryMarshal.AsBytes(values);
        if (bytes.Length > _plan.Shape.MessageBytes || Unsafe.SizeOf<THeader>() > MaxHeaderBytes)
        {
            throw new ArgumentException($"a message of {bytes.Length} bytes with a header of {Unsafe.SizeOf<THeader>()} does not fit "
                + $"{_plan.Shape.MessageBytes} and {MaxHeaderBytes}: reserve larger messages", nameof(values));
        }
        const int slots = CommunicatorPlan.MessageSlots;
        long message = ++_sent[member];
        if (_plan.Shape.Rendezvous) _fabric.Wait(to, _plan.PostedFlag, (ulong)message);
        else if (message > slots) _fabric.Wait(to, _plan.TakenFlag, (ulong)(message - slots));

        var prefix = new Prefix { Message = message, HeaderBytes = Unsafe.SizeOf<THeader>(), ValueBytes = bytes.Length };
        MemoryMarshal.Write(prefix.Header, header);
        var slot = _plan.Slot(Position, member, message);
        _fabric.Put(to, slot.Slice(0, CommunicatorPlan.ValuesOffset), MemoryMarshal.AsBytes(new ReadOnlySpan<Prefix>(ref prefix)));
        if (bytes.Length > 0) _fabric.Put(to, slot.Slice(CommunicatorPlan.ValuesOffset, bytes.Length), bytes);
        _fabric.Notify(to, _plan.SentFlag, (ulong)message);
    }

    /// <inheritdoc/>
    public void PostReceive(RankId from)
    {
        int member = Peer(from, sends: false);
        if (_posted[member] > _taken[member]) return;
        _posted[member]++;
        if (_plan.Shape.Rendezvous) _fabric.Notify(from, _plan.PostedFlag, (ulong)_posted[member]);
    }

    /// <inheritdoc/>
    public int Receive<THeader, T>(RankId from, out THeader header, Span<T> values)
        where THeader : unmanaged
        where T : unmanaged
    {
        PostReceive(from);
        int member = Peer(from, sends: false);
        long message = ++_taken[member];
        _fabric.Wait(from, _plan.SentFlag, (ulong)message);
        var slot = _plan.Slot(member, Position, message);
        ref var prefix = ref MemoryMarshal.AsRef<Prefix>(_fabric.Local(slot.Slice(0, CommunicatorPlan.ValuesOffset)));
        var target = MemoryMarshal.AsBytes(values);
        if (prefix.Message != message || prefix.HeaderBytes != Unsafe.SizeOf<THeader>() || (uint)prefix.ValueBytes > (uint)target.Length)
        {
            throw Exchange.Abort(member, $"sent message {prefix.Message} with a header of {prefix.HeaderBytes} bytes "
                + $"and {prefix.ValueBytes} bytes of values where {_fabric.Self} expected message {message}, "
                + $"a header of {Unsafe.SizeOf<THeader>()} and at most {target.Length}");
        }
        header = MemoryMarshal.Read<THeader>(prefix.Header);
        int length = prefix.ValueBytes;
        if (length > 0) _fabric.Local(slot.Slice(CommunicatorPlan.ValuesOffset, length)).CopyTo(target);
        if (!_plan.Shape.Rendezvous) _fabric.Notify(from, _plan.TakenFlag, (ulong)message);
        return length / Unsafe.SizeOf<T>();
    }

    /// <inheritdoc/>
    public void AllGatherV<T>(ReadOnlySpan<T> mine, Span<T> all, Span<int> counts)
        where T : unmanaged
    {
        Exchange.Begin();
        Exchange.AddToAll(mine);
        Exchange.Post();
        int at = 0;
        for (int member = 0; member < Group.Size; member++)
        {
            if (member != Position) Exchange.Wait(member);
            var values = member == Position ? mine : Exchange.Received<T>(member, 0);
            values.CopyTo(all[at..]);
            counts[member] = values.Length;
            at += values.Length;
        }
    }

    /// <inheritdoc/>
    public void ReduceScatterV(ReadOnlySpan<float> parts, ReadOnlySpan<int> counts, Span<float> mine)
    {
        Exchange.Begin();
        int at = 0, own = 0;
        for (int member = 0; member < Group.Size; member++)
        {
            if (member == Position) own = at;
            else Exchange.Add(member, parts.Slice(at, counts[member]));
            at += counts[member];
        }
        Exchange.Post();
        SumInOrder(parts.Slice(own, counts[Position]), mine[..counts[Position]]);
    }

    /// <inheritdoc/>
    public void AllReduce(Span<float> values)
    {
        Exchange.Begin();
        Exchange.AddToAll<float>(values);
        Exchange.Post();
        SumInOrder(values, values);
    }

    /// <inheritdoc/>
    public void Broadcast<T>(RankId root, Span<T> values)
        where T : unmanaged
    {
        int member = Group.IndexOf(root);
        Exchange.Begin();
        if (member == Position) Exchange.AddToAll<T>(values);
        Exchange.Post();
        // All wait for all: that is what makes the slots safe to use again.
        WaitForAll();
        if (member == Position) return;
        var received = Exchange.Received<T>(member, 0);
        CheckLength(member, received.Length, values.Length);
        received.CopyTo(values);
    }

    /// <inheritdoc/>
    public void Barrier()
    {
        Exchange.Begin();
        Exchange.Post();
        WaitForAll();
    }

    /// <summary>sums = +0 + the values of member 0 + those of member 1 ..., where own values may be the sums' own place.</summary>
    private void SumInOrder(ReadOnlySpan<float> own, Span<float> sums)
    {
        WaitForAll();
        for (int member = 0; member < Group.Size; member++)
            if (member != Position) CheckLength(member, Exchange.Received<float>(member, 0).Length, own.Length);
        const int block = 512;
        Span<float> sum = stackalloc float[block];
        for (int at = 0; at < own.Length; at += block)
        {
            int length = Math.Min(block, own.Length - at);
            var part = sum[..length];
            part.Clear();
            for (int member = 0; member < Group.Size; member++)
                RowMath.Add((member == Position ? own : Exchange.Received<float>(member, 0)).Slice(at, length), part);
            part.CopyTo(sums[at..]);
        }
    }

    private void WaitForAll()
    {
        for (int member = 0; member < Group.Size; member++)
            if (member != Position) Exchange.Wait(member);
    }

    private void CheckLength(int member, int got, int wanted)
    {
        if (got != wanted) throw Exchange.Abort(member, $"sent {got} values where {_fabric.Self} expected {wanted}");
    }

    private int Peer(RankId peer, bool sends)
    {
        int member = Group.IndexOf(peer);
        if (sends ? _plan.Allows(Position, member) : _plan.Allows(member, Position)) return member;
        throw new InvalidOperationException($"{_fabric.Self} cannot {(sends ? "send to" : "receive from")} {peer}: "
            + $"the communicator was planned for {Group.Size} members with senders: {_plan.Shape.Senders}");
    }

    private struct Prefix
    {
        public long Message;
        public int HeaderBytes;
        public int ValueBytes;
        private HeaderSpace _header;

        [UnscopedRef]
        public Span<byte> Header => _header;
    }

    [InlineArray(MaxHeaderBytes)]
    private struct HeaderSpace
    {
        private byte _first;
    }
}
