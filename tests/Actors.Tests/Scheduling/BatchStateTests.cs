using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Actors.Scheduling;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Scheduling;

public sealed class BatchStateTests
{
    private static readonly EpochSizes Sizes = new(Lanes: 2, MaxRows: 8, MaxRunning: 4, Blocks: 16, BlockSize: 4, Context: 64);

    [Fact]
    public void A_prompt_comes_in_chunks_of_at_most_the_rows_of_a_step()
    {
        BatchState state = New();
        Sequence sequence = Request("a", prompt: 19, tokens: 3);
        Assert.Null(state.Enqueue(sequence));

        Assert.Equal([8, 8, 3], Enumerable.Range(0, 3).Select(_ => Rows(state, 0).Single().Rows).ToArray());
        sequence.Generated.Add(1);
        Assert.Equal(1, Rows(state, 0).Single().Rows);
    }

    [Fact]
    public void Its_load_is_what_its_requests_may_still_bring_and_the_cache_that_nobody_holds()
    {
        BatchState state = New();
        Assert.Equal((0, 64), (state.Load.WaitingRows, state.Load.FreeKv));
        long whole = 0;
        foreach ((string id, int prompt, int tokens) in (ReadOnlySpan<(string, int, int)>)[("a", 19, 3), ("b", 5, 6)])
        {
            Assert.Null(state.Enqueue(Request(id, prompt, tokens)));
            whole += prompt + tokens;
            Assert.InRange(state.Load.WaitingRows, whole - 2, whole); // the last token of a request is not a row
        }
        Assert.Equal(64, state.Load.FreeKv);
        Rows(state, 0);
        Assert.InRange(state.Load.FreeKv, 0, 63);
    }

    [Fact]
    public void Decode_rows_go_before_prompt_chunks()
    {
        BatchState state = New();
        Sequence old = Request("old", 3, 3), young = Request("young", 20, 3), other = Request("other", 2, 3);
        state.Enqueue(old);
        Rows(state, 0);
        old.Generated.Add(1);
        state.Enqueue(other);
        Rows(state, 1);
        state.Enqueue(young);

        IReadOnlyList<SlotWork> work = Rows(state, 0);

        Assert.Equal([new SlotWork(old.Slot, 1), new SlotWork(young.Slot, 7)], work);
    }

    [Fact]
    public void A_lane_has_one_step_at_a_time()
    {
        BatchState state = New();
        state.Enqueue(Request("a", 3, 3));
        Assert.NotNull(state.Compose(0, []));
        state.Enqueue(Request("b", 3, 3));
        Assert.Null(state.Compose(0, []));
    }

    [Fact]
    public void Requests_spread_over_the_lanes()
    {
        BatchState state = New();
        foreach (string id in (string[])["a", "b", "c", "d"]) state.Enqueue(Request(id, 3, 3));
        state.Compose(0, []);
        state.Compose(1, []);
        int perLane = Sizes.MaxRunning / Sizes.Lanes;
        int[] counts = [.. Enumerable.Range(0, Sizes.Lanes).Select(lane => state.All.Count(s => s.Slot >= 0 && s.Slot / perLane == lane))];
        Assert.Equal(1, counts[0]); // composed first, it left the next one to the other lane
        Assert.InRange(counts[1], 1, 2);
    }

    [Fact]
    public void A_request_that_is_given_up_in_a_running_step_frees_its_KV_when_that_step_ends()
    {
        BatchState state = New();
        Sequence sequence = Request("a", 3, 3);
        state.Enqueue(sequence);
        state.Compose(0, []);
        int held = Sizes.Blocks - state.FreeBlocks;
        state.End(sequence, "cancelled");
        Assert.Equal(held, Sizes.Blocks - state.FreeBlocks);
        state.Completed(0);
        Assert.Equal(Sizes.Blocks, state.FreeBlocks);
        Assert.True(state.IsIdle);
    }

    [Fact]
    public void A_request_that_is_given_up_between_steps_or_in_the_queue_frees_its_KV_at_once()
    {
        BatchState state = New();
        Sequence running = Request("a", 3, 3), queued = Request("b", 3, 3);
        state.Enqueue(running);
        Rows(state, 0);
        state.Enqueue(queued);
        state.End(running, "cancelled");
        state.End(queued, "cancelled");
        Assert.Equal(Sizes.Blocks, state.FreeBlocks);
        Assert.True(state.IsIdle);
    }

    [Fact]
    public void A_full_queue_refuses_and_says_how_many_wait()
    {
        var state = new BatchState(new Epoch(1), 0, Sizes, maxQueue: 1);
        Assert.Null(state.Enqueue(Request("a", 3, 3)));
        Assert.Contains("1 requests wait already", state.Enqueue(Request("b", 3, 3)));
    }

    [Fact]
    public void A_request_that_can_never_fit_is_refused_with_the_arithmetic()
    {
        string? refusal = New().Enqueue(Request("a", 60, 30));
        Assert.Contains("60 + 30 tokens = 23 blocks of 4", refusal);
        Assert.Contains("16", refusal);
    }

    [Fact]
    public void Random_histories_never_hand_a_block_or_slot_out_twice_and_end_with_all_free()
    {
        Random random = Seed.For(nameof(Random_histories_never_hand_a_block_or_slot_out_twice_and_end_with_all_free));
        for (int run = 0; run < 200; run++)
        {
            BatchState state = New();
            int next = 0;
            for (int step = 0; step < 100 || !state.IsIdle; step++)
            {
                if (step < 100 && random.Next(3) == 0) state.Enqueue(Request($"r{next++}", random.Next(1, 20), random.Next(1, 10)));
                int lane = random.Next(Sizes.Lanes);
                if (random.Next(10) == 0 && state.All.Any()) state.End(state.All.ElementAt(random.Next(state.All.Count())), "cancelled");
                if (state.Compose(lane, []) is { } delta)
                {
                    Assert.True(delta.Work.Sum(w => w.Rows) <= Sizes.MaxRows);
                    Assert.All(delta.Work, w => Assert.Equal(lane, w.Slot / (Sizes.MaxRunning / Sizes.Lanes)));
                    CheckBlocks(state);
                    foreach (SlotWork work in delta.Work) Advance(state.At(work.Slot)!, state);
                    state.Completed(lane);
                }
            }
            Assert.Equal(Sizes.Blocks, state.FreeBlocks);
        }
    }

    private static void Advance(Sequence sequence, BatchState state)
    {
        if (sequence.Computed + sequence.InFlight < sequence.Known) return;
        sequence.Generated.Add(1);
        if (sequence.Generated.Count >= sequence.Request.MaxTokens) state.End(sequence, "length");
    }

    private static void CheckBlocks(BatchState state)
    {
        var held = state.All.SelectMany(s => s.Blocks).ToList();
        Assert.Equal(held.Count, held.Distinct().Count());
        Assert.Equal(Sizes.Blocks - held.Count, state.FreeBlocks);
    }

    private static IReadOnlyList<SlotWork> Rows(BatchState state, int lane)
    {
        BatchDelta delta = state.Compose(lane, [])!;
        state.Completed(lane);
        return delta.Work;
    }

    private static BatchState New() => new(new Epoch(1), 0, Sizes, maxQueue: 100);

    private static Sequence Request(string id, int prompt, int tokens) => new(
        new RequestSpec(id, null, [], tokens, new SamplingSpec(0, 0, 1, 0, 1, 0), [], false, SequenceMode.Generate),
        "client", ActorRefs.Nobody, new int[prompt], 0);
}
