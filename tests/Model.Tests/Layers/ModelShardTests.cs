using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;
using Xunit;

namespace Troupe.Model.Tests.Layers;

public sealed class ModelShardTests : IDisposable
{
    private static readonly ShardOptions Options = new() { KvBlocks = 4, MaxRows = 8 };
    private readonly Checkpoint _checkpoint = Checkpoint.Open(Golden.Folder("qwen3-moe-mixed"));
    private readonly CpuDevice _device = new(1);

    public void Dispose()
    {
        _device.Dispose();
        _checkpoint.Dispose();
    }

    [Fact]
    public void A_shard_loads_its_own_layers_and_experts_and_nothing_else()
    {
        ModelConfig config = _checkpoint.Config;
        var names = new List<string>();
        var progress = new List<LoadProgress>();
        ShardSpec spec = ShardSpec.Of(config, stage: 0, stages: 2, ExpertPlacement.Blocks(config.Experts, 4), member: 2);
        using ModelShard shard = ModelShard.Create(Listed, config, spec, _device, Options, progress.Add);

        TensorView Listed(string name, params ReadOnlySpan<int> shape)
        {
            names.Add(name);
            return _checkpoint.Get(name, shape);
        }

        // Layers 0 to 2 of 5; 12 experts over 4 members; only layer 1 has experts.
        Assert.Equal(new ShardSpec(new LayerIndex(0), 3, spec.Experts, Embedding: true, Head: false, TensorSplit.Of(config, 0, 1)),
            spec);
        Assert.Equal([6, 7, 8], spec.Experts.Select(e => e.Value));
        Assert.Equal(["0", "1", "2"], names.Where(n => n.Contains("layers.")).Select(n => n.Split('.')[2]).Distinct());
        Assert.Equal(["6", "7", "8"], names.Where(n => n.Contains("experts.")).Select(n => n.Split('.')[5]).Distinct());
        Assert.DoesNotContain("model.norm.weight", names);
        Assert.Equal(shard.WeightBytes, names.Sum(Bytes));
        Assert.Equal(shard.WeightBytes, progress[^1].BytesHeld);
        Assert.Equal([1, 2, 3, 4], progress.Select(p => p.Part));
        Assert.All(progress, p => Assert.Equal(4, p.Parts));
        Assert.True(shard.BytesHeld > shard.WeightBytes + shard.Cache.Bytes);
        Assert.True(shard.HasExperts);

        long Bytes(string name) => 2L * Shape(config, name).Aggregate(1, (product, size) => product * size);
    }

    [Theory]
    [InlineData(5, new[] { 1, 1, 1, 1, 1 })]
    [InlineData(3, new[] { 2, 2, 1 })]
    [InlineData(1, new[] { 5 })]
    public void Stages_hold_consecutive_layers_as_evenly_as_they_come(int stages, int[] layers)
    {
        ShardSpec[] specs = [.. Enumerable.Range(0, stages).Select(s =>
            ShardSpec.Of(_checkpoint.Config, s, stages, ExpertPlacement.Blocks(12, 1), 0))];
        Assert.Equal(layers, specs.Select(s => s.Layers));
        Assert.Equal(Enumerable.Range(0, 5), specs.SelectMany(s => Enumerable.Range(s.First.Value, s.Layers)));
        Assert.Equal(Enumerable.Range(0, stages).Select(s => s == 0), specs.Select(s => s.Embedding));
        Assert.Equal(Enumerable.Range(0, stages).Select(s => s == stages - 1), specs.Select(s => s.Head));
    }

    [Fact]
    public void More_stages_than_layers_are_refused() => Assert.Contains("6 stages for 5 layers",
        Assert.Throws<ModelException>(() => ShardSpec.Of(_checkpoint.Config, 0, 6, ExpertPlacement.Blocks(12, 1), 0)).Message);

    [Fact]
    public void A_missing_tensor_and_a_wrong_shape_are_named()
    {
        ModelConfig wide = _checkpoint.Config with { MoeIntermediateSize = 41 }, deep = _checkpoint.Config with { Layers = 6 };
        Assert.Matches("experts.0.gate_proj.weight has shape \\[40, 96\\], wanted \\[41, 96\\]", Failure(wide));
        Assert.Matches("no tensor model.layers.5.self_attn.q_proj.weight", Failure(deep));

        string Failure(ModelConfig config) => Assert.Throws<ModelException>(() =>
            ModelShard.Create(_checkpoint.Get, config, ShardSpec.Whole(config), _device, Options)).Message;
    }

    [Fact]
    public void Experts_of_one_layer_must_be_stored_alike()
    {
        using var copy = new PatchedCheckpoint("qwen3-moe-mixed");
        copy.CallF16("model.layers.1.mlp.experts.3.up_proj.weight");
        using Checkpoint mixed = copy.Open();
        Assert.Matches("experts.3.up_proj.weight is F16, wanted BF16", Assert.Throws<ModelException>(() =>
            ModelShard.Create(mixed.Get, mixed.Config, ShardSpec.Whole(mixed.Config), _device, Options)).Message);
    }

    [Theory]
    [InlineData(0x7F80)] // infinity in bf16
    [InlineData(0xFF80)]
    [InlineData(0x7FC0)] // NaN
    public void A_hidden_state_that_is_no_longer_finite_names_the_layer(int bits)
    {
        using var copy = new PatchedCheckpoint("qwen3-moe-mixed");
        copy.Fill("model.layers.3.post_attention_layernorm.weight", (ushort)bits);
        using Checkpoint poisoned = copy.Open();
        using var cluster = new TestCluster(poisoned.Get, poisoned.Config, TestCluster.Cpu, stages: 2);
        cluster.Place(0, 16);
        Assert.Equal(new LayerIndex(3), Assert.Throws<NonFiniteException>(() => cluster.Feed([1, 2, 3])).Layer);
    }

    [Fact]
    public void Observers_hear_of_every_activity_in_order_and_of_what_it_handles()
    {
        using var cluster = new TestCluster(_checkpoint.Get, _checkpoint.Config, TestCluster.Cpu);
        var heard = new Recorder();
        cluster.Observer = heard;
        cluster.Place(0, 16);
        cluster.Feed([5, 6]);
        StepActivity[] dense = [StepActivity.Attention, StepActivity.FeedForward, StepActivity.Residual];
        // To write the partial sums is part of the combine, and so is to send them.
        StepActivity[] sparse =
        [
            StepActivity.Attention, StepActivity.Route, StepActivity.DispatchPost, StepActivity.DispatchReceive, StepActivity.Experts,
            StepActivity.CombinePost, StepActivity.CombinePost, StepActivity.CombineReceive, StepActivity.Residual,
        ];
        // Every second layer has experts, but layer 3 is dense by name.
        Assert.Equal([.. dense, .. sparse, .. dense, .. dense, .. dense], heard.Points.Select(p => p.Activity));
        Assert.All(heard.Points, p => Assert.Equal((new Epoch(1), new StepId(1)), (p.At.Epoch, p.At.Step)));
        Assert.All(heard.Points, p => Assert.Equal(p.Activity.Phase(), p.At.Phase));
        // Two rows of three experts each, all of them here; nobody to send to.
        (long pairs, int active) = Assert.Single(heard.Notes[StepActivity.Experts]);
        Assert.Equal(2 * 3, pairs);
        Assert.InRange(active, 3, 6);
        Assert.All(heard.Notes[StepActivity.DispatchPost], note => Assert.Equal(0, note.Amount));
    }

    [Fact]
    public void Expert_load_counts_the_choices_of_own_rows()
    {
        using var cluster = new TestCluster(_checkpoint.Get, _checkpoint.Config, TestCluster.Cpu, members: 2);
        cluster.Place(0, 16, member: 1);
        cluster.Feed([5, 6, 7, 8, 9], member: 1);
        Assert.Equal(5 * 3, Sum(cluster.Shard(0, 1).Load.Of(new LayerIndex(1))));
        Assert.Equal(0, Sum(cluster.Shard(0, 1).Load.Of(new LayerIndex(3))));
        Assert.Equal(0, Sum(cluster.Shard(0, 0).Load.Of(new LayerIndex(1))));
        cluster.Shard(0, 1).Load.Reset();
        Assert.Equal(0, Sum(cluster.Shard(0, 1).Load.Of(new LayerIndex(1))));

        static long Sum(ReadOnlySpan<long> counts)
        {
            long sum = 0;
            foreach (long count in counts) sum += count;
            return sum;
        }
    }

    [Fact]
    public void A_step_without_rows_anywhere_passes_and_serves_nothing()
    {
        using var cluster = new TestCluster(_checkpoint.Get, _checkpoint.Config, TestCluster.CpuTwoThreads, stages: 2, members: 3);
        var heard = new Recorder();
        cluster.Observer = heard;
        cluster.Step();
        Assert.Equal(3, heard.Points.Count(p => p.Activity == StepActivity.CombinePost));
        cluster.Shard(1, 0).Logits([], [], []);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Steady_decode_allocates_nothing(int threads)
    {
        using var cluster = new TestCluster(_checkpoint.Get, _checkpoint.Config, () => new CpuDevice(threads));
        float[] logits = new float[_checkpoint.Config.VocabSize];
        cluster.Observer = new Traced(new StepTrace(4, 40));
        cluster.Place(0, 400);
        Decode(0, 40);
        // The runtime replaces warm code by better code on this thread's account: one quiet stretch of five is enough.
        long least = Enumerable.Range(1, 5).Min(i => Decode(40 * i, 40));
        Assert.Equal(0, least);

        long Decode(int from, int count)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < count; i++)
            {
                cluster.Rows().Clear();
                cluster.Rows().Add(i, from + i, 0);
                cluster.Step();
                cluster.Logits(0, logits);
            }
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static int[] Shape(ModelConfig c, string name)
    {
        int inner = name.Contains("experts.") ? c.MoeIntermediateSize : c.IntermediateSize;
        return name.Split('.')[^2] switch
        {
            "embed_tokens" => [c.VocabSize, c.HiddenSize],
            "q_proj" or "o_proj" => [c.Heads * c.HeadDim, c.HiddenSize],
            "k_proj" or "v_proj" => [c.KvHeads * c.HeadDim, c.HiddenSize],
            "q_norm" or "k_norm" => [c.HeadDim],
            "gate" => [c.Experts, c.HiddenSize],
            "gate_proj" or "up_proj" or "down_proj" => [inner, c.HiddenSize],
            _ => [c.HiddenSize],
        };
    }

    private sealed class Recorder : IStepObserver
    {
        public List<(StepPoint At, StepActivity Activity)> Points { get; } = [];

        public Dictionary<StepActivity, List<(long Amount, int Detail)>> Notes { get; } = [];

        public void At(StepPoint point, StepActivity activity)
        {
            lock (Points) Points.Add((point, activity));
        }

        public void Note(long amount, int detail = 0)
        {
            lock (Points)
            {
                StepActivity now = Points[^1].Activity;
                if (!Notes.TryGetValue(now, out var notes)) Notes[now] = notes = [];
                notes.Add((amount, detail));
            }
        }
    }

    /// <summary>Traces as a rank does.</summary>
    private sealed class Traced(StepTrace trace) : IStepObserver
    {
        private long _now;

        public void At(StepPoint point, StepActivity activity)
        {
            if (activity == StepActivity.Attention && point.Layer.Value == 0)
            {
                if (trace.IsOpen) trace.End(StepActivity.DecodeStep, 1, ++_now);
                trace.Begin(point.Step, 0, ++_now);
            }
            trace.At(activity, point.Layer.Value, ++_now);
        }

        public void Note(long amount, int detail = 0) => trace.Note(amount, detail);
    }
}
