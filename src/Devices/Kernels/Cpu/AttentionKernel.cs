using Troupe.Devices.Tensors;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>What a call of attention is about, and where its room lies.</summary>
internal unsafe struct AttentionJob
{
    public float* Queries, Output;
    public int* Positions, Slots, Blocks;
    public KvBlocks Kv;
    public HeadGroups Groups;
    public Weight Sinks;
    public float Scale;
    public int Rows, BlocksPerSlot, Heads, Window;
    public bool HasSinks, ByParts;
    public AttentionUnit* Units;
    public float* Sums;
    public AttentionRooms Rooms;

    /// <summary>The first position that a position sees.</summary>
    public readonly int FirstSeen(int position) => Window == 0 ? 0 : Math.Max(0, position + 1 - Window);
}

/// <summary>
/// Causal attention over KV blocks. A sequence is cut into parts of 256 positions from its start on, whoever asks: each part has a running
/// softmax of its own, in tiles of 64 positions, and parts are merged in ascending order (flash-decoding, Dao et al. 2023). So many
/// threads can share one long sequence, and a row's bits depend neither on them, nor on the rows beside it. A sink is what the merge starts
/// from; positions before a window count as infinitely far.
/// </summary>
internal static unsafe class AttentionKernel
{
    /// <summary>Positions of a part.</summary>
    public const int Part = 256;

    private const float Log2E = 1.44269504f;

    /// <summary>queries: [T, heads, D]; output: [T, heads, width of a value].</summary>
    public static void Run(WorkerPool pool, KvBlocks kv, KvRows rows, int heads, Attending how, float* queries, float* output)
    {
        fixed (int* positions = rows.Positions, slots = rows.Slots, blocks = rows.Blocks)
        {
            var job = new AttentionJob
            {
                Queries = queries, Output = output, Positions = positions, Slots = slots, Blocks = blocks, Kv = kv, Rows = rows.Count,
                BlocksPerSlot = rows.BlocksPerSlot, Heads = heads, Groups = how.Groups, Scale = how.Scale * Log2E, Window = how.Window,
                Sinks = how.Sinks ?? default, HasSinks = how.Sinks is not null,
            };
            AttentionPlan plan = AttentionPlan.Of(&job, pool.Threads);
            long unitFloats = ((long)plan.Units * sizeof(AttentionUnit) + 63) / 64 * 16;
            job.Rooms = new AttentionRooms(pool.Threads, plan.Queries, kv);
            float* room = pool.Room(unitFloats + job.Rooms.Floats + plan.Sums);
            job.Units = (AttentionUnit*)room;
            job.Rooms.Place(room + unitFloats);
            job.Sums = room + unitFloats + job.Rooms.Floats;
            job.ByParts = plan.ByParts;
            plan.Fill(&job, job.Units);
            bool wide = kv.Type == ElementType.F32;
            pool.For(wide ? &Items<StoredF32> : &Items<StoredBf16>, &job, plan.Items, plan.Work / plan.Items);
            if (plan.ByParts) pool.For(&Merges, &job, plan.Units, plan.Sums / plan.Units);
        }
    }

    private static void Items<T>(void* data, int first, int end) where T : IStored
    {
        var job = (AttentionJob*)data;
        int taken = job->Rooms.Take();
        AttentionRoom room = job->Rooms[taken];
        AttentionUnit* unit = job->Units;
        for (int item = first; item < end; item++)
        {
            if (!job->ByParts)
            {
                Whole<T>(job, job->Units + item, room);
                continue;
            }
            while (item >= unit->FirstItem + unit->Parts) unit++;
            AttentionUnits<T>.Attend(job, unit, unit->FirstPart + item - unit->FirstItem, room, Sums(job, unit, item - unit->FirstItem));
        }
        job->Rooms.GiveBack(taken);
    }

    // One part after the other on this thread.
    private static void Whole<T>(AttentionJob* job, AttentionUnit* unit, AttentionRoom room) where T : IStored
    {
        var sums = new PartSums(room.Sums, unit->Queries, job->Kv.ValueStride);
        float* highest = room.Totals, total = highest + unit->Queries;
        for (int i = 0; i < unit->Queries; i++) (highest[i], total[i]) = Begin(job, unit, i);
        for (int part = unit->FirstPart; part < unit->EndPart; part++)
        {
            AttentionUnits<T>.Attend(job, unit, part, room, sums);
            for (int i = 0; i < unit->Queries; i++) Merge(job, unit, part, i, sums, highest + i, total + i);
        }
        for (int i = 0; i < unit->Queries; i++) AttentionSoftmax.Divide(Output(job, unit, i), job->Kv.ValueSize, total[i]);
    }

    // Parts that others made.
    private static void Merges(void* data, int first, int end)
    {
        var job = (AttentionJob*)data;
        for (AttentionUnit* unit = job->Units + first; unit < job->Units + end; unit++)
            for (int i = 0; i < unit->Queries; i++)
            {
                (float highest, float total) = Begin(job, unit, i);
                for (int part = unit->FirstPart; part < unit->EndPart; part++)
                    Merge(job, unit, part, i, Sums(job, unit, part - unit->FirstPart), &highest, &total);
                AttentionSoftmax.Divide(Output(job, unit, i), job->Kv.ValueSize, total);
            }
    }

    // A sink is a score without a value: only its exponent counts.
    private static (float Highest, float Total) Begin(AttentionJob* job, AttentionUnit* unit, int query) =>
        job->HasSinks ? (job->Sinks[0, unit->Head + query % unit->Heads] * Log2E, 1) : (float.NegativeInfinity, 0);

    private static void Merge(AttentionJob* job, AttentionUnit* unit, int part, int query, PartSums sums, float* highest, float* total)
    {
        int position = job->Positions[unit->Row + query / unit->Heads], firstPart = job->FirstSeen(position) / Part;
        if (part < firstPart || part > position / Part) return;
        AttentionSoftmax.Merge(sums.Values + (long)query * job->Kv.ValueStride, sums.Denominators + query * Lanes.Count,
            sums.Highest[query], part == firstPart, highest, total, Output(job, unit, query), job->Kv.ValueSize);
    }

    private static PartSums Sums(AttentionJob* job, AttentionUnit* unit, int index)
    {
        long floats = PartSums.Floats(unit->Queries, job->Kv.ValueStride);
        return new PartSums(job->Sums + unit->Sums + index * floats, unit->Queries, job->Kv.ValueStride);
    }

    private static float* Output(AttentionJob* job, AttentionUnit* unit, int query) => job->Output
        + ((long)(unit->Row + query / unit->Heads) * job->Heads + unit->Head + query % unit->Heads) * job->Kv.ValueSize;
}
