namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Queries that share loads: those of some heads of a KV head and of rows that follow each other in one sequence. They see positions of
/// the parts from FirstPart to before EndPart.
/// </summary>
internal struct AttentionUnit
{
    public int Row, Rows, KvHead, Head, Heads, FirstPart, EndPart;

    /// <summary>The first of its items.</summary>
    public int FirstItem;

    /// <summary>Where the sums of its parts begin, in floats, if they are items of their own.</summary>
    public long Sums;

    /// <summary>Rows x heads.</summary>
    public readonly int Queries => Rows * Heads;

    /// <summary>How many parts.</summary>
    public readonly int Parts => EndPart - FirstPart;
}

/// <summary>
/// How a call is cut into items for threads. Every cut gives the same bits, so it may depend on threads and rows: units of up to 128
/// queries; where these are too few or uneven for the threads, each part of the sequence becomes an item, and at last units get smaller.
/// </summary>
internal unsafe struct AttentionPlan
{
    private const int MostQueries = 128, LeastQueries = 4;

    // 64 MiB of sums of parts at most.
    private const long MostSums = 16 << 20;

    // Multiply-adds that an item should have.
    private const long LeastWork = 32 * 1024;

    public int Queries, Units, Items;
    public bool ByParts;
    public long Sums, Work, Largest;

    /// <summary>For a job and some threads.</summary>
    public static AttentionPlan Of(AttentionJob* job, int threads)
    {
        AttentionPlan plan = Count(job, MostQueries);
        long wanted = threads == 1 ? 1 : Math.Min(2L * threads, plan.Work / LeastWork);
        bool byParts = false;
        while (true)
        {
            bool uneven = plan.Units < wanted || (wanted > 1 && plan.Largest > plan.Work / threads);
            byParts |= uneven && plan.Items > plan.Units && plan.Sums <= MostSums;
            plan.ByParts = byParts;
            if ((byParts ? plan.Items : plan.Units) >= wanted || plan.Queries <= LeastQueries) break;
            plan = Count(job, plan.Queries / 2);
        }
        if (byParts) return plan;
        (plan.Items, plan.Sums) = (plan.Units, 0);
        return plan;
    }

    /// <summary>Writes the units of a plan.</summary>
    public readonly void Fill(AttentionJob* job, AttentionUnit* units)
    {
        AttentionPlan same = Walk(job, Queries, ByParts, units);
        if (same.Units != Units) throw new InvalidOperationException($"planned {Units} units of attention, wrote {same.Units}");
    }

    private static AttentionPlan Count(AttentionJob* job, int queries) => Walk(job, queries, byParts: true, null);

    private static AttentionPlan Walk(AttentionJob* job, int queries, bool byParts, AttentionUnit* units)
    {
        var plan = new AttentionPlan { Queries = queries, ByParts = byParts };
        int most = Math.Max(1, queries / Math.Min(job->Groups.Size, queries));
        for (int row = 0, rows; row < job->Rows; row += rows)
        {
            rows = Following(job, row, most);
            int last = job->Positions[row + rows - 1];
            var unit = new AttentionUnit
            {
                Row = row, Rows = rows, FirstPart = job->FirstSeen(job->Positions[row]) / AttentionKernel.Part,
                EndPart = last / AttentionKernel.Part + 1,
            };
            long width = job->Kv.HeadSize + job->Kv.ValueSize, seen = last + 1 - job->FirstSeen(job->Positions[row]);
            for (unit.KvHead = 0; unit.KvHead < job->Kv.Heads; unit.KvHead++)
            {
                int end = Math.Min(job->Heads, job->Groups.FirstOf(unit.KvHead + 1));
                for (unit.Head = job->Groups.FirstOf(unit.KvHead); unit.Head < end; unit.Head += unit.Heads)
                {
                    unit.Heads = Math.Min(queries, end - unit.Head);
                    (unit.FirstItem, unit.Sums) = (plan.Items, plan.Sums);
                    if (units is not null) units[plan.Units] = unit;
                    plan.Units++;
                    plan.Items += byParts ? unit.Parts : 1;
                    if (byParts) plan.Sums += unit.Parts * PartSums.Floats(unit.Queries, job->Kv.ValueStride);
                    plan.Work += seen * unit.Queries * width;
                    plan.Largest = Math.Max(plan.Largest, seen * unit.Queries * width);
                }
            }
        }
        return plan;
    }

    // How many rows from one on are of the same sequence at positions that follow each other.
    private static int Following(AttentionJob* job, int row, int most)
    {
        int end = row + 1;
        while (end < job->Rows && end < row + most && job->Slots[end] == job->Slots[row]
            && job->Positions[end] == job->Positions[end - 1] + 1) end++;
        return end - row;
    }
}

/// <summary>What the queries of a unit have summed of one part of the sequence; room for whole fours of them.</summary>
internal readonly unsafe struct PartSums(float* at, int queries, int stride)
{
    /// <summary>[query, stride] weighted sums of values.</summary>
    public float* Values => at;

    /// <summary>[query, 16] lanes of the sum of weights.</summary>
    public float* Denominators => at + (long)Fours(queries) * stride;

    /// <summary>[query] highest scores.</summary>
    public float* Highest => Denominators + Fours(queries) * Lanes.Count;

    /// <summary>Room that it takes.</summary>
    public static long Floats(int queries, int stride) => Fours(queries) * (stride + Lanes.Count + 4L);

    /// <summary>Queries with those that stand in for missing ones.</summary>
    public static int Fours(int queries) => (queries + 3) / 4 * 4;

    /// <summary>Nothing is summed yet.</summary>
    public void Clear()
    {
        new Span<float>(at, (int)(Highest - at)).Clear();
        new Span<float>(Highest, Fours(queries)).Fill(float.NegativeInfinity);
    }
}
