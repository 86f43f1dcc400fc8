using System.Globalization;
using System.Runtime.InteropServices;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Devices.All2All;

/// <summary>How one rank reaches another, as far as costs go.</summary>
public enum LinkClass
{
    /// <summary>The rank itself.</summary>
    Self,

    /// <summary>A rank of the same host whose window is directly addressable.</summary>
    Mapped,

    /// <summary>A rank behind a socket.</summary>
    Tcp,
}

/// <summary>What moving things over a link costs, in microseconds. All are finite and above zero.</summary>
/// <param name="MessageUs">One small message one way: Put, Notify, and the Wait on the other side.</param>
/// <param name="ByteUs">One payload byte more in a Put.</param>
/// <param name="FlagUs">One flag one way: Notify and the Wait on the other side, without a Put.</param>
/// <param name="RowUs">Beginning a row that is packed or added, whatever its length.</param>
/// <param name="RowByteUs">One byte of such a row, as it lies on the wire.</param>
public sealed record LinkConstants(double MessageUs, double ByteUs, double FlagUs, double RowUs, double RowByteUs)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{MessageUs:0.00} µs a message, {FlagUs:0.00} µs a flag, {1e-3 / ByteUs:0.0} GB/s; rows {RowUs * 1e3:0} ns and "
        + $"{1e-3 / RowByteUs:0.0} GB/s");
}

/// <summary>What one rank measured. A class is null where the rank met nobody of it. Small: it travels in a message.</summary>
public sealed record LinkCalibration(LinkConstants? Self, LinkConstants? Mapped, LinkConstants? Tcp)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        (string Name, LinkConstants? Link)[] classes = [("self", Self), ("mapped", Mapped), ("tcp", Tcp)];
        return string.Join("; ", classes.Where(c => c.Link is not null).Select(c => $"{c.Name}: {c.Link}"));
    }
}

/// <summary>Window space and flags of a calibration; every rank of the world reserves it once.</summary>
public sealed class CalibrationPlan
{
    private CalibrationPlan(Region inbox, FlagRange flags) => (Inbox, Flag) = (inbox, flags[0]);

    internal Region Inbox { get; }

    internal int Flag { get; }

    /// <summary>Reserves 64 KiB and one flag.</summary>
    public static CalibrationPlan Reserve(WindowPlan plan) => new(plan.Reserve(Calibration.BulkBytes), plan.ReserveFlags(1));
}

/// <summary>
/// Measures on a connected fabric what its links cost, for the router's cost model. All ranks of a group call <see cref="Measure"/> at the
/// same time; groups that share no rank may do so at once.
/// <para>Ranks meet in pairs: in round k a member meets the one at its position XOR k, so that pairs of a round are disjoint, and every
/// rank takes the rounds in the same order, so that nobody waits in a circle. The lower position leads: it says in each flag's value
/// whether another exchange follows, by count and by its clock, and the other follows. In a pair one side waits while the other works, so
/// twice as many ranks as cores measure undisturbed.</para>
/// <para>Each constant is the lower quartile over exchanges (what the link takes when nobody disturbs it: at start, other ranks may still
/// load), then the median over the pairs of its class. Disturbances make all strategies slower, and each step's time corrects for them.
/// Methods that are not compiled for good yet would look slow; the program compiles those with loops, as the ones that add rows, at once.
/// The target is 200 ms for all rounds; the bound by count is <see cref="MaxRounds"/> x (200 + 100 + 40) exchanges. Where a machine is so
/// busy that single exchanges take many milliseconds, each series ends with its second exchange once half a second is over.</para>
/// </summary>
public sealed unsafe class Calibration
{
    /// <summary>The most peers that a rank meets.</summary>
    public const int MaxRounds = 15;

    internal const int BulkBytes = 64 * 1024;

    private const int SmallBytes = 64, ShortRowBytes = 128, LongRowBytes = 4096, LeastExchanges = 6;
    private const ushort One = 0x3F80; // 1 as bf16
    private static readonly TimeSpan Target = TimeSpan.FromMilliseconds(200), Limit = TimeSpan.FromMilliseconds(500);

    // What is smaller than this was not seen by the clock, or drowned in noise: 100 GB/s, and 10 ns for a flag that a peer must see.
    private static readonly LinkConstants s_least = new(MessageUs: 0.01, ByteUs: 1e-5, FlagUs: 0.01, RowUs: 5e-4, RowByteUs: 1e-5);

    private readonly IFabric _fabric;
    private readonly RankGroup _group;
    private readonly CalibrationPlan _plan;
    private readonly TimeProvider _clock;
    private readonly ulong[] _sent, _awaited; // flags by member
    private readonly byte[] _rows = GC.AllocateArray<byte>(BulkBytes, pinned: true); // the fabric may read it until Notify
    private readonly float[] _values = new float[BulkBytes / sizeof(ushort)];
    private readonly ushort[] _packed = new ushort[BulkBytes / sizeof(ushort)];
    private long? _met; // when the first peer had come

    /// <summary>Makes this rank's part; every member of the group does, over the same reservation, once per fabric.</summary>
    public Calibration(IFabric fabric, RankGroup group, CalibrationPlan plan, TimeProvider clock)
    {
        (_fabric, _group, _plan, _clock) = (fabric, group, plan, clock);
        (_sent, _awaited) = (new ulong[group.Size], new ulong[group.Size]);
        MemoryMarshal.Cast<byte, ushort>(_rows.AsSpan()).Fill(One);
        Array.Fill(_values, 1f);
    }

    private enum What
    {
        Flag,
        Message,
        Bulk,
    }

    /// <summary>Measures; returns once this rank has met all its pairs. A peer that does not come ends the wait as any other.</summary>
    public LinkCalibration Measure()
    {
        int self = _group.IndexOf(_fabric.Self);
        int[] rounds = Rounds(_group.Size);
        _met = null;
        List<LinkConstants> mapped = [], tcp = [];
        foreach (int round in rounds)
        {
            int peer = self ^ round;
            if (peer >= _group.Size) continue;
            (ClassOf(_group[peer]) == LinkClass.Mapped ? mapped : tcp).Add(Meet(peer, leads: self < peer, Target / rounds.Length / 3));
        }
        return new LinkCalibration(MeasureSelf(), Middle(mapped), Middle(tcp));
    }

    /// <summary>How this rank reaches another.</summary>
    public LinkClass ClassOf(RankId peer) => peer == _fabric.Self ? LinkClass.Self
        : _fabric.TryMap(peer, _plan.Inbox, out _) ? LinkClass.Mapped : LinkClass.Tcp;

    /// <summary>What is XORed to a position, round by round: powers of two first, so that all have a peer, then what fits.</summary>
    internal static int[] Rounds(int members)
    {
        int end = 1;
        while (end < members) end *= 2;
        return [.. Enumerable.Range(1, end - 1).OrderBy(k => int.PopCount(k)).ThenBy(k => k).Take(MaxRounds)];
    }

    private LinkConstants Meet(int peer, bool leads, TimeSpan budget)
    {
        double flag = Quiet(Exchange(peer, leads, What.Flag, 200, budget).All) / 2;
        double message = Quiet(Exchange(peer, leads, What.Message, 100, budget).All) / 2;
        Samples bulk = Exchange(peer, leads, What.Bulk, 40, budget);
        double shortWork = Quiet(bulk.EvenWork), longWork = Quiet(bulk.OddWork);
        // While this rank waited, the peer did the same work on its rows as this rank on its own.
        double even = Quiet(bulk.Even) - shortWork, odd = bulk.Odd.Count > 0 ? Quiet(bulk.Odd) - longWork : even;
        double oneWay = (even + odd) / 4;
        return Fit(message, (oneWay - message) / BulkBytes, flag, shortWork, longWork);
    }

    /// <summary>Exchanges until the leader says that it is enough. Times from before a send to after the peer's answer.</summary>
    private Samples Exchange(int peer, bool leads, What what, int most, TimeSpan budget)
    {
        var samples = new Samples([], [], [], []);
        long begin = _clock.GetTimestamp(), sent = begin;
        bool last = false;
        for (int i = 0; !last; i++)
        {
            if (leads)
            {
                // The first exchange waits for a peer that may come late: the budget starts after it.
                if (i == 1)
                {
                    begin = _clock.GetTimestamp();
                    _met ??= begin;
                }
                last = i + 1 >= most || (i + 1 >= LeastExchanges && _clock.GetElapsedTime(begin) > budget)
                    || (i > 0 && _clock.GetElapsedTime(_met!.Value) > Limit);
                sent = _clock.GetTimestamp();
                Send(peer, what, last);
                Await(peer);
                samples.Add(i, Since(sent));
                if (what == What.Bulk) samples.AddWork(i, Work(i));
            }
            else
            {
                last = Await(peer);
                if (i > 0) samples.Add(i - 1, Since(sent));
                if (what == What.Bulk) samples.AddWork(i, Work(i));
                sent = _clock.GetTimestamp();
                Send(peer, what, last);
            }
        }
        return samples;
    }

    private void Send(int peer, What what, bool last)
    {
        RankId to = _group[peer];
        int bytes = what switch { What.Flag => 0, What.Message => SmallBytes, _ => BulkBytes };
        if (bytes > 0) _fabric.Put(to, _plan.Inbox.Slice(0, bytes), _rows.AsSpan(0, bytes));
        _fabric.Notify(to, _plan.Flag, (++_sent[peer] * 2) + (last ? 1UL : 0));
    }

    /// <summary>Whether the leader said that this was the last: flags count exchanges in twos, an odd value ends a series.</summary>
    private bool Await(int peer) => (_fabric.Wait(_group[peer], _plan.Flag, ++_awaited[peer] * 2) & 1) != 0;

    /// <summary>Adds all rows that lie in the inbox, as combine does, in short rows and in long ones in turn.</summary>
    private double Work(int exchange)
    {
        long start = _clock.GetTimestamp();
        int values = (exchange % 2 == 0 ? ShortRowBytes : LongRowBytes) / sizeof(ushort);
        fixed (byte* rows = _fabric.Local(_plan.Inbox))
        fixed (float* sum = _values)
        {
            for (int at = 0; at < BulkBytes; at += values * sizeof(ushort)) PartialSums.AddHost(RowType.Bf16, rows + at, sum, values);
        }
        return Since(start);
    }

    private LinkConstants MeasureSelf()
    {
        const int Times = 24;
        Samples samples = new([], [], [], []);
        int self = _group.IndexOf(_fabric.Self);
        var flags = new List<double>(Times);
        for (int i = 0; i < Times; i++)
        {
            long start = _clock.GetTimestamp();
            Send(self, What.Flag, last: false);
            Await(self);
            flags.Add(Since(start));
            start = _clock.GetTimestamp();
            Send(self, i % 2 == 0 ? What.Message : What.Bulk, last: false);
            Await(self);
            samples.Add(i, Since(start));
            samples.AddWork(i, Pack(i));
        }
        double message = Quiet(samples.Even);
        return Fit(message, (Quiet(samples.Odd) - message) / BulkBytes, Quiet(flags), Quiet(samples.EvenWork), Quiet(samples.OddWork));
    }

    /// <summary>Rounds rows of this rank to bf16, as dispatch does before it sends.</summary>
    private double Pack(int exchange)
    {
        long start = _clock.GetTimestamp();
        int values = (exchange % 2 == 0 ? ShortRowBytes : LongRowBytes) / sizeof(ushort);
        fixed (float* from = _values)
        fixed (ushort* to = _packed)
        {
            for (int at = 0; at < _values.Length; at += values) RowCodec.Narrow(from + at, to + at, values);
        }
        return Since(start);
    }

    /// <summary>Two lengths of row over the same bytes give two equations: work = rows x RowUs + bytes x RowByteUs.</summary>
    private static LinkConstants Fit(double message, double perByte, double flag, double shortWork, double longWork)
    {
        const int ShortRows = BulkBytes / ShortRowBytes, LongRows = BulkBytes / LongRowBytes;
        double perRow = Math.Max(s_least.RowUs, (shortWork - longWork) / (ShortRows - LongRows));
        return new LinkConstants(Math.Max(s_least.MessageUs, message), Math.Max(s_least.ByteUs, perByte), Math.Max(s_least.FlagUs, flag),
            perRow, Math.Max(s_least.RowByteUs, (longWork - (LongRows * perRow)) / BulkBytes));
    }

    private static LinkConstants? Middle(List<LinkConstants> pairs) => pairs.Count == 0 ? null : new LinkConstants(
        Median(pairs.ConvertAll(p => p.MessageUs)), Median(pairs.ConvertAll(p => p.ByteUs)), Median(pairs.ConvertAll(p => p.FlagUs)),
        Median(pairs.ConvertAll(p => p.RowUs)), Median(pairs.ConvertAll(p => p.RowByteUs)));

    private static double Median(List<double> values) => Quantile(values, 2);

    private static double Quiet(List<double> values) => Quantile(values, 4);

    /// <summary>The value that the first of so many equal parts ends at; 0 of none.</summary>
    private static double Quantile(List<double> values, int parts)
    {
        values.Sort();
        return values.Count == 0 ? 0 : values[values.Count / parts];
    }

    private double Since(long start) => (_clock.GetTimestamp() - start) * 1e6 / _clock.TimestampFrequency;

    /// <summary>Microseconds by exchange, even and odd ones apart because rows differ.</summary>
    private sealed record Samples(List<double> Even, List<double> Odd, List<double> EvenWork, List<double> OddWork)
    {
        public List<double> All => [.. Even, .. Odd];

        public void Add(int exchange, double us) => (exchange % 2 == 0 ? Even : Odd).Add(us);

        public void AddWork(int exchange, double us) => (exchange % 2 == 0 ? EvenWork : OddWork).Add(us);
    }
}
