using Troupe.Devices.All2All;

namespace Troupe.Actors.Routing;

/// <summary>What a member does over links of one class in one phase.</summary>
/// <param name="Messages">Small messages that are put, notified and waited for.</param>
/// <param name="Flags">Flags without a Put.</param>
/// <param name="Bytes">Payload bytes that are put.</param>
/// <param name="Rows">Rows that are packed, taken in or added.</param>
/// <param name="RowBytes">Bytes of those rows as they lie on the wire.</param>
public readonly record struct LinkWork(double Messages, double Flags, double Bytes, double Rows, double RowBytes)
{
    public static LinkWork operator +(LinkWork a, LinkWork b) => new(
        a.Messages + b.Messages, a.Flags + b.Flags, a.Bytes + b.Bytes, a.Rows + b.Rows, a.RowBytes + b.RowBytes);
}

/// <summary>What a member does in one phase, by class of link.</summary>
public record struct PhaseWork(LinkWork Self, LinkWork Mapped, LinkWork Tcp)
{
    /// <summary>Payload bytes that go to other members.</summary>
    public readonly double BytesToOthers => Mapped.Bytes + Tcp.Bytes;

    internal void Put(LinkClass link, double messages, double bytes) => Add(link, new LinkWork(messages, 0, bytes, 0, 0));

    internal void Flag(LinkClass link, double flags) => Add(link, new LinkWork(0, flags, 0, 0, 0));

    internal void Rows(LinkClass link, double rows, double bytesEach) => Add(link, new LinkWork(0, 0, 0, rows, rows * bytesEach));

    private void Add(LinkClass link, LinkWork work)
    {
        switch (link)
        {
            case LinkClass.Self: Self += work; break;
            case LinkClass.Mapped: Mapped += work; break;
            default: Tcp += work; break;
        }
    }
}

/// <summary>A member's dispatch and combine. Fields, because they are added to in place.</summary>
public struct MemberWork
{
    /// <summary>Rows to their experts.</summary>
    public PhaseWork Dispatch;

    /// <summary>Partial sums back.</summary>
    public PhaseWork Combine;
}

/// <summary>
/// What each strategy makes a member do in one layer: messages, flags, bytes, rows packed, taken in and added. Pure. The formulas follow
/// the table of DESIGN section 5, in its letters: T rows of this member, N of all, R members, p = D / R the share of tokens that need a
/// member (<see cref="StepShape.HitShare"/>), Hb the bytes of a row, Hc of a partial sum; 8K bytes of ids and weights per row where all of
/// them travel, 12K + 16 where a row carries its slots (id, weight, place) and where it came from. They count what must be done, not how
/// well a strategy does it: <see cref="Corrections"/> learns that.
/// </summary>
internal readonly ref struct StrategyWork(StepShape shape, int member, HostTable hosts)
{
    private const double Header = 64;

    private readonly double _own = shape.RowsAt(member), _row = shape.RowBytes, _sum = shape.SumBytes, _hit = shape.HitShare();
    private readonly double _slots = (12.0 * shape.TopK) + 16;
    private readonly PeerSet _near = hosts.Mapped(member), _far = hosts.Behind(member);

    /// <summary>The work of a strategy.</summary>
    public MemberWork Of(Strategy strategy)
    {
        var work = new MemberWork();
        switch (strategy)
        {
            case Strategy.HighThroughput: HighThroughput(ref work); break;
            case Strategy.Hierarchical: Hierarchical(ref work); break;
            case Strategy.LowLatency: LowLatency(ref work); break;
            case Strategy.PeerMapped: PeerMapped(ref work); break;
            case Strategy.Workspace: Workspace(ref work); break;
            case Strategy.Fused: Fused(ref work); break;
            default: AllGatherReduceScatter(ref work); break;
        }
        return work;
    }

    /// <summary>
    /// Each way one message to each of R - 1 peers. Out T (R-1) (Hb + 8K) bytes, back (N - T) Hc. Rounds T rows and takes in N; rounds N
    /// partial sums and adds R per own row.
    /// </summary>
    private void AllGatherReduceScatter(ref MemberWork work)
    {
        work.Dispatch.Rows(LinkClass.Self, 2 * _own, _row);
        work.Combine.Rows(LinkClass.Self, (2 * _own) + _near.Rows + _far.Rows, _sum);
        foreach (var (link, peers, rows) in (ReadOnlySpan<PeerSet>)[_near, _far])
        {
            work.Dispatch.Put(link, peers, peers * (Header + _own * (_row + 8 * shape.TopK)));
            work.Dispatch.Rows(link, rows, _row);
            work.Combine.Put(link, peers, (peers * Header) + (rows * _sum));
            work.Combine.Rows(link, peers * _own, _sum);
        }
    }

    /// <summary>
    /// Counts first: one message of a header to each peer; then one of p T rows of Hb + 12K + 16 bytes, packed for each of R members, and
    /// moved once more on arrival to lie by expert. Back one message of p T' Hc bytes to each peer with T' rows; adds p R per own row.
    /// </summary>
    private void HighThroughput(ref MemberWork work)
    {
        work.Dispatch.Rows(LinkClass.Self, _hit * _own * shape.Ranks, _row);
        work.Dispatch.Rows(LinkClass.Self, _hit * _own, _row);
        foreach (var (link, peers, rows) in (ReadOnlySpan<PeerSet>)[_near, _far])
        {
            work.Dispatch.Put(link, peers, peers * Header);
            work.Dispatch.Put(link, peers, peers * (Header + _hit * _own * (_row + _slots)));
            work.Dispatch.Rows(link, _hit * rows, _row);
        }
        SendBack(ref work.Combine, peersTiles: 1);
    }

    /// <summary>
    /// No counts: one message of a header and p T rows of Hb + 12K + 16 bytes to each peer, each row rounded once and put by itself.
    /// Back as <see cref="HighThroughput"/>.
    /// </summary>
    private void LowLatency(ref MemberWork work)
    {
        SendUsed(ref work.Dispatch, tiles: 1);
        SendBack(ref work.Combine, peersTiles: 1);
    }

    /// <summary>
    /// As <see cref="LowLatency"/>, but p T rows make <see cref="Strategies.FusedTiles"/> messages behind a header of their own, each way,
    /// and no more than there are rows. Its gain is not in this table: tiles go back while others arrive, so that no barrier stands between
    /// dispatch and combine (<see cref="CostModel"/>).
    /// </summary>
    private void Fused(ref MemberWork work)
    {
        double mean = shape.Ranks > 1 ? (_near.Rows + _far.Rows) / (shape.Ranks - 1) : 0;
        SendUsed(ref work.Dispatch, Tiles(_own));
        SendBack(ref work.Combine, Tiles(mean));
        foreach (var (link, peers, _) in (ReadOnlySpan<PeerSet>)[_near, _far])
        {
            work.Dispatch.Flag(link, peers);
            work.Combine.Flag(link, peers);
        }
    }

    private double Tiles(double rows) => Math.Clamp(Math.Ceiling(_hit * rows), 1, Strategies.FusedTiles);

    /// <summary>
    /// Writes p T rows into each receiver's mapped inbox, which is all the packing there is, then one flag. Back: rounds p N partial sums
    /// into its own outbox, one flag to each peer, and every owner adds p R per own row, where they lie.
    /// </summary>
    private void PeerMapped(ref MemberWork work)
    {
        work.Dispatch.Rows(LinkClass.Self, _hit * _own, _row);
        foreach (var (link, peers, rows) in (ReadOnlySpan<PeerSet>)[_near, _far])
        {
            double copies = peers * _hit * _own;
            work.Dispatch.Flag(link, peers);
            work.Dispatch.Put(link, 0, (peers * Header) + (copies * (_row + _slots)));
            work.Dispatch.Rows(link, copies, 0);
            work.Dispatch.Rows(link, _hit * rows, _row);
        }
        ReadBack(ref work.Combine);
    }

    /// <summary>
    /// Publishes T rows once in its own mapped workspace, one flag to each peer; each receiver reads the ids and weights of all N and takes
    /// the p N rows it needs. Back as <see cref="PeerMapped"/>.
    /// </summary>
    private void Workspace(ref MemberWork work)
    {
        work.Dispatch.Rows(LinkClass.Self, (1 + _hit) * _own, _row);
        foreach (var (link, peers, rows) in (ReadOnlySpan<PeerSet>)[_near, _far])
        {
            work.Dispatch.Flag(link, peers);
            work.Dispatch.Rows(link, _hit * rows, _row + 8 * shape.TopK / Math.Max(_hit, 1e-9));
        }
        ReadBack(ref work.Combine);
    }

    /// <summary>
    /// One copy per (token, host) of Hb + 12K + 16 bytes to one member there, which forwards p of the rows to each of its host's l members;
    /// p T straight to those of the own host. Back: l members' partial sums meet at that member, which adds them and sends one per
    /// (token, host). The rows of other hosts are taken to be spread evenly over the l members that receive for them.
    /// </summary>
    private void Hierarchical(ref MemberWork work)
    {
        int host = shape.HostAt(member);
        double local = hosts.Members(host), remote = hosts.AllRows - hosts.Rows(host), forwarded = remote / local;
        LinkClass near = shape.Mapping == Mapping.Nobody ? LinkClass.Tcp : LinkClass.Mapped;
        LinkClass far = shape.Mapping == Mapping.Everybody ? LinkClass.Mapped : LinkClass.Tcp;
        double localHit = shape.HitShare(local), others = hosts.Rows(host) - _own;

        work.Dispatch.Rows(LinkClass.Self, (1 + _hit) * _own, _row);
        work.Dispatch.Put(near, 2 * (local - 1), (local - 1) * ((2 * Header) + _hit * (_own + forwarded) * (_row + _slots)));
        work.Dispatch.Rows(near, _hit * (others + forwarded * (local - 1)), _row);
        work.Dispatch.Rows(far, forwarded * localHit, _row);

        work.Combine.Rows(LinkClass.Self, _hit * (hosts.AllRows + _own), _sum);
        work.Combine.Put(near, 2 * (local - 1), _hit * (others + forwarded * (local - 1)) * _sum);
        work.Combine.Rows(near, (local - 1) * _hit * (_own + forwarded), _sum);
        work.Combine.Put(far, hosts.Count - 1, forwarded * localHit * _sum);
        for (int other = 0; other < hosts.Count; other++)
        {
            if (hosts.Label(other) == host) continue;
            double hit = shape.HitShare(hosts.Members(hosts.Label(other)));
            work.Dispatch.Put(far, 1, Header + (hit * _own * (_row + _slots)));
            work.Combine.Rows(far, hit * _own, _sum);
        }
    }

    /// <summary>Rows rounded once, one put for each copy, taken in at the other side.</summary>
    private void SendUsed(ref PhaseWork work, double tiles)
    {
        work.Rows(LinkClass.Self, (1 + _hit) * _own, _row);
        foreach (var (link, peers, rows) in (ReadOnlySpan<PeerSet>)[_near, _far])
        {
            work.Put(link, peers * tiles, peers * ((tiles * Header) + (_hit * _own * (_row + _slots))));
            work.Rows(link, peers * _hit * _own, 0);
            work.Rows(link, _hit * rows, _row);
        }
    }

    /// <summary>One partial sum per (token, member) put back, and added by the owner.</summary>
    private void SendBack(ref PhaseWork work, double peersTiles)
    {
        work.Rows(LinkClass.Self, _hit * ((2 * _own) + _near.Rows + _far.Rows), _sum);
        foreach (var (link, peers, rows) in (ReadOnlySpan<PeerSet>)[_near, _far])
        {
            work.Put(link, peers * peersTiles, (peers * peersTiles * Header) + (_hit * rows * _sum));
            work.Rows(link, peers * _hit * _own, _sum);
        }
    }

    /// <summary>Partial sums stay where they were made; their owners read them there.</summary>
    private void ReadBack(ref PhaseWork work)
    {
        work.Rows(LinkClass.Self, _hit * ((2 * _own) + _near.Rows + _far.Rows), _sum);
        foreach (var (link, peers, _) in (ReadOnlySpan<PeerSet>)[_near, _far])
        {
            work.Flag(link, peers);
            work.Rows(link, peers * _hit * _own, _sum);
        }
    }
}

/// <summary>The other members that one reaches over links of a class, and the rows they bring.</summary>
internal readonly record struct PeerSet(LinkClass Link, double Members, double Rows);

/// <summary>Members and rows by host, counted once per step for all members and strategies.</summary>
internal sealed class HostTable
{
    private readonly StepShape _shape;
    private readonly List<int> _labels = [];
    private readonly List<(int Members, double Rows)> _hosts = [];

    public HostTable(StepShape shape)
    {
        _shape = shape;
        for (int member = 0; member < shape.Ranks; member++)
        {
            int at = _labels.IndexOf(shape.HostAt(member)), rows = shape.RowsAt(member);
            if (at < 0)
            {
                at = _labels.Count;
                _labels.Add(shape.HostAt(member));
                _hosts.Add(default);
            }
            _hosts[at] = (_hosts[at].Members + 1, _hosts[at].Rows + rows);
            AllRows += rows;
        }
    }

    /// <summary>Rows of all members (N).</summary>
    public double AllRows { get; }

    /// <summary>How many hosts.</summary>
    public int Count => _labels.Count;

    /// <summary>The label of a host, by position.</summary>
    public int Label(int host) => _labels[host];

    /// <summary>The position of a label.</summary>
    public int IndexOf(int label) => _labels.IndexOf(label);

    /// <summary>Members on the host of this label.</summary>
    public int Members(int label) => _hosts[_labels.IndexOf(label)].Members;

    /// <summary>Rows on the host of this label.</summary>
    public double Rows(int label) => _hosts[_labels.IndexOf(label)].Rows;

    /// <summary>The others whose windows a member can address.</summary>
    public PeerSet Mapped(int member)
    {
        if (_shape.Mapping == Mapping.Nobody) return new PeerSet(LinkClass.Mapped, 0, 0);
        bool all = _shape.Mapping == Mapping.Everybody;
        int label = _shape.HostAt(member);
        return new PeerSet(LinkClass.Mapped,
            (all ? _shape.Ranks : Members(label)) - 1, (all ? AllRows : Rows(label)) - _shape.RowsAt(member));
    }

    /// <summary>The others, behind sockets.</summary>
    public PeerSet Behind(int member)
    {
        PeerSet mapped = Mapped(member);
        return new PeerSet(LinkClass.Tcp, _shape.Ranks - 1 - mapped.Members, AllRows - _shape.RowsAt(member) - mapped.Rows);
    }
}
