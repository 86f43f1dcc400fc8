using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.Collectives;

/// <summary>
/// The one move under all collectives: every member of a group sends every other a few parts of any size, and reads what the others sent
/// in place.
/// <code>Begin; Add(member, part)...; Post; for each other member: Wait(member), Received(member, part)</code>
/// All members call it equally often. What was received stays valid until this member's next Post.
/// <para>Why two slots suffice, with one message each way: a member that fills slot n mod 2 for exchange n + 2 has completed exchange n +
/// 1, so each other member has posted n + 1, and a member posts only when it is done with what it received in n.</para>
/// </summary>
public sealed class Exchange
{
    private readonly IFabric _fabric;
    private readonly ExchangePlan _plan;
    private readonly SlotHeader[] _outgoing;
    private readonly long[] _filled;
    private long _sequence;
    private bool _open;

    /// <summary>Makes the exchange of this rank's group; all members do so, over the same reservation.</summary>
    public Exchange(IFabric fabric, RankGroup group, ExchangePlan plan)
    {
        if (group.Size != plan.Members)
            throw new ArgumentException($"the window was planned for groups of {plan.Members} ranks, got {group.Size}", nameof(group));
        (_fabric, Group, _plan) = (fabric, group, plan);
        Position = group.IndexOf(fabric.Self);
        _outgoing = new SlotHeader[group.Size];
        _filled = new long[group.Size];
    }

    /// <summary>Who exchanges.</summary>
    public RankGroup Group { get; }

    /// <summary>This rank's position in the group.</summary>
    public int Position { get; }

    private int Parity => (int)(_sequence & 1);

    /// <summary>Starts an exchange.</summary>
    public void Begin()
    {
        if (_open) throw new InvalidOperationException("the last exchange was not posted");
        _open = true;
        _sequence++;
        for (int member = 0; member < _outgoing.Length; member++)
        {
            _outgoing[member] = default;
            _filled[member] = ExchangePlan.HeaderBytes;
        }
    }

    /// <summary>Sends a part to another member. The source may change once <see cref="Post"/> has returned.</summary>
    public void Add<T>(int member, ReadOnlySpan<T> part)
        where T : unmanaged
    {
        if (!_open || member == Position) throw new InvalidOperationException("parts go between Begin and Post, to other members");
        var bytes = MemoryMarshal.AsBytes(part);
        ref var header = ref _outgoing[member];
        long at = _filled[member];
        if (header.Parts == ExchangePlan.MaxParts || bytes.Length > _plan.SlotBytes - at)
        {
            throw new InvalidOperationException(
                $"part {header.Parts} of {bytes.Length} bytes does not fit: {_plan.SlotBytes - at} of {_plan.SlotBytes} bytes "
                + $"and {ExchangePlan.MaxParts - header.Parts} parts are left; reserve a larger exchange");
        }
        header.Sizes[header.Parts++] = bytes.Length;
        _filled[member] = at + ExchangePlan.Align(bytes.Length);
        if (bytes.Length > 0) _fabric.Put(Group[member], _plan.Slot(Position, member, Parity).Slice(at, bytes.Length), bytes);
    }

    /// <summary>Sends a part to every other member.</summary>
    public void AddToAll<T>(ReadOnlySpan<T> part)
        where T : unmanaged
    {
        // Each member starts with the one after it, so that not all write into the same window at once.
        for (int i = 1; i < Group.Size; i++) Add((Position + i) % Group.Size, part);
    }

    /// <summary>Tells every other member that its parts are there. What was received before is no longer valid.</summary>
    public void Post()
    {
        if (!_open) throw new InvalidOperationException("an exchange starts with Begin");
        _open = false;
        for (int i = 1; i < Group.Size; i++)
        {
            int member = (Position + i) % Group.Size;
            ref var header = ref _outgoing[member];
            header.Sequence = _sequence;
            _fabric.Put(Group[member], _plan.Slot(Position, member, Parity).Slice(0, Unsafe.SizeOf<SlotHeader>()),
                MemoryMarshal.AsBytes(new ReadOnlySpan<SlotHeader>(ref header)));
            _fabric.Notify(Group[member], _plan.Flag, (ulong)_sequence);
        }
    }

    /// <summary>Returns once another member's parts are here; ends with <see cref="FabricException"/> as <see cref="IFabric.Wait"/>
    /// does.</summary>
    /// <returns>How many parts came.</returns>
    public int Wait(int member)
    {
        _fabric.Wait(Group[member], _plan.Flag, (ulong)_sequence);
        ref var header = ref HeaderOf(member);
        if (header.Sequence != _sequence || (uint)header.Parts > ExchangePlan.MaxParts)
        {
            throw Abort(member, $"sent exchange {header.Sequence} of {header.Parts} parts where {_fabric.Self} is at exchange {_sequence}: "
                + "all ranks of a group must make the same calls in the same order");
        }
        return header.Parts;
    }

    /// <summary>A part that another member sent, in place: <see cref="Wait"/> for the member first. Valid until this member's next
    /// Post.</summary>
    public ReadOnlySpan<T> Received<T>(int member, int part)
        where T : unmanaged
    {
        ref var header = ref HeaderOf(member);
        if ((uint)part >= (uint)header.Parts)
            throw new ArgumentOutOfRangeException(nameof(part), $"{Group[member]} sent {header.Parts} parts, part {part} was asked for");
        long at = ExchangePlan.HeaderBytes;
        for (int i = 0; i < part; i++) at += ExchangePlan.Align(header.Sizes[i]);
        return MemoryMarshal.Cast<byte, T>(_fabric.Local(_plan.Slot(member, Position, Parity).Slice(at, header.Sizes[part])));
    }

    /// <summary>Aborts the epoch because of what a member sent; throw the result.</summary>
    internal FabricException Abort(int member, string reason)
    {
        _fabric.Abort(Group[member], reason);
        return new FabricException(_fabric.Self, Group[member], _fabric.StatusOf(_fabric.Self), reason);
    }

    private ref SlotHeader HeaderOf(int member) =>
        ref MemoryMarshal.AsRef<SlotHeader>(_fabric.Local(_plan.Slot(member, Position, Parity).Slice(0, Unsafe.SizeOf<SlotHeader>())));

    private struct SlotHeader
    {
        public long Sequence;
        public int Parts;
        public PartSizes Sizes;
    }

    [InlineArray(ExchangePlan.MaxParts)]
    private struct PartSizes
    {
        private int _first;
    }
}
