using System.Buffers.Binary;
using System.Text.Json;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Planning;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Actors.Tests.Cluster;
using Troupe.Devices.Tensors;
using Troupe.Devices.Topology;
using Troupe.Model.Cache;
using Troupe.Model.Families;
using Troupe.Model.Layers;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Planning;

public sealed class PlannerTests
{
    private const long GiB = 1L << 30;
    private const int KvTokens = 4096;

    [Theory]
    [InlineData(1, 1, 1, "")]
    [InlineData(2, 1, 1, "")]
    [InlineData(2, 2, 1, "")]
    [InlineData(3, 2, 1, "1,4,1")]
    [InlineData(2, 1, 4, "")]
    public async Task A_plan_says_what_a_real_run_reports_of_its_ranks(int stages, int replicas, int tensor, string split)
    {
        string hocon = $"troupe.scheduler.kv-tokens = {KvTokens}" + (split.Length > 0 ? $"\ntroupe.layout.split = \"{split}\"" : "");
        PlanReport plan = Planner.Make(Request(stages, replicas, tensor, hocon));
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas, hocon, tensor);
        StatusReport status = JsonSerializer.Deserialize(await world.Client.InspectAsync(Subject.Status, ""),
            ReportJson.Default.StatusReport)!;
        Assert.Equal(status.Ranks.Select(r => (r.Rank, r.Stage, r.Replica, r.Tensor, r.Layers, r.Experts, r.WeightBytes)),
            plan.Ranks.Select(r => (r.Rank, r.Stage, r.Replica, r.Tensor, r.Layers, r.Experts, r.WeightBytes)));
        Assert.All(status.Schedulers, s => Assert.Equal(KvTokens / 16, s.KvBlocks));
        foreach (PlanRank rank in plan.Ranks)
        {
            using var cache = new PagedKvCache(plan.Split[rank.Stage], ElementType.F32, KvTokens / 16, 16,
                new KvShape(tensor > 1 ? 1 : 2, 32, 32));
            Assert.Equal((cache.Bytes, cache.Bytes / KvTokens), (rank.KvBytes, rank.KvBytesPerToken));
        }
        Assert.Equal((plan.Ranks.Sum(r => r.KvBytes), plan.Ranks.Sum(r => r.WindowBytes)),
            (plan.Hosts[0].KvBytes, plan.Hosts[0].WindowBytes));
    }

    [Fact]
    public void A_plan_fits_where_a_real_start_would_and_nowhere_else()
    {
        (int stages, int replicas, string hocon) = (2, 2, $"troupe.scheduler.kv-tokens = {KvTokens}");
        PlanRequest request = Request(stages, replicas, hocon: hocon);
        long need = Planner.Make(request).Hosts[0].NeedBytes;
        ClusterPlan real = ClusterPlan.Make(request.Options, request.Model);
        real.MemoryForKv(need);
        string why = Assert.Throws<ConfigException>(() => real.MemoryForKv(need - 1)).Message;
        Assert.True(Planner.Make(request with { MemoryHere = need }).Fits);
        PlanReport less = Planner.Make(request with { MemoryHere = need - 1 });
        Assert.False(less.Fits);
        Assert.Equal([$"this host: {why}"], less.Problems);
    }

    [Fact]
    public void A_config_alone_comes_to_the_weights_of_the_checkpoint_it_belongs_to()
    {
        foreach (string model in (string[])["qwen3-moe", "qwen3-moe-mixed", "qwen2-moe"])
        {
            ModelSource folder = ModelSource.FromFolder(Repository.At("tests", "goldens", "models", model));
            ModelSource config = folder with
            {
                ShardBytes = (specs, form) => ShardWeights.Bytes(ShardWeights.Outline(folder.Config), folder.Config, form, specs),
            };
            Assert.Equal(Directory.EnumerateFiles(folder.Name, "*.safetensors").Sum(DataBytes),
                Planner.Make(Request(1, 1, model: config)).Hosts[0].WeightBytes);
            Assert.Equal(Planner.Make(Request(2, 2, model: folder)).Ranks, Planner.Make(Request(2, 2, model: config)).Ranks);
        }

        // A safetensors file is the length of its header in 8 bytes, the header, and the tensors.
        static long DataBytes(string file)
        {
            byte[] bytes = File.ReadAllBytes(file);
            return bytes.Length - sizeof(long) - BinaryPrimitives.ReadInt64LittleEndian(bytes);
        }
    }

    [Fact]
    public void Weights_that_are_turned_at_load_are_counted_in_their_new_type_and_for_each_rank()
    {
        long stored = Planner.Make(Request(1, 2)).Hosts[0].WeightBytes;
        PlanReport eight = Planner.Make(Request(1, 2, hocon: "troupe.weights = int8"));
        Assert.Equal(eight.Ranks.Sum(r => r.WeightBytes), eight.Hosts[0].WeightBytes); // no longer one mapping for both
        foreach (PlanRank rank in eight.Ranks) Assert.InRange(rank.WeightBytes, 0.53 * stored / 2, 0.75 * stored);
        Assert.True(Planner.Make(Request(1, 2, hocon: "troupe.weights = int4")).Hosts[0].WeightBytes < eight.Hosts[0].WeightBytes);
    }

    [Fact]
    public void Weights_of_tensor_ranks_add_up_to_the_whole_and_what_each_has_of_its_own()
    {
        ModelSource model = ModelSource.FromFolder(Repository.At("tests", "goldens", "models", "qwen3-moe-mixed"));
        long whole = Planner.Make(Request(1, 1, model: model)).Ranks[0].WeightBytes;
        PlanReport two = Planner.Make(Request(1, 1, tensor: 2, model: model));
        // Twice: norms (2 of H a layer, 2 of D a layer, the last), the MoE layer's router, and the middle one of 3 key-value heads.
        long again = (5 * ((2 * 96) + (2 * 16))) + 96 + (12 * 96) + (5 * 2 * 16 * 96);
        Assert.Equal(whole + (again * sizeof(ushort)), two.Ranks.Sum(r => r.WeightBytes));
        Assert.Equal(["0-2", "3-5"], two.Ranks.Select(r => r.QueryHeads));
        Assert.Equal(["0-1", "1-2"], two.Ranks.Select(r => r.KvHeads));
        Assert.True(two.Fits);
        // They map one file, and together the whole of it.
        Assert.Equal(whole, two.Hosts[0].WeightBytes);
        PlanReport apart = Planner.Make(Request(1, 1, tensor: 2, model: model, hosts: HostsFile.Parse("hosts", "a 1\nb 1")));
        Assert.Equal(two.Ranks.Select(r => r.WeightBytes), apart.Hosts.Select(h => h.WeightBytes));
        Assert.Contains(two.Notes, note => note.StartsWith("3 key-value heads for 2 tensor ranks", StringComparison.Ordinal));
    }

    [Fact]
    public void Hops_and_ring_are_the_bytes_that_a_real_run_sends_for_a_token()
    {
        PlanStep step = Planner.Make(Request(3, 1)).Steps[0];
        // Two hops of a row of 256 floats behind a head of 24 bytes and a slot, one ring of a count and a token of 12 bytes.
        Assert.Equal([("stage_hop", "mapped", 2.0 * ((256 * 4) + 24 + 4), 2.0), ("ring", "mapped", 16.0, 1.0)],
            step.Links.Select(l => (l.What, l.Link, l.Bytes, l.Messages)));
        Assert.Equal("none", step.Strategy);
    }

    [Theory]
    [InlineData(2, 1, 1, "allgather_reducescatter")]
    [InlineData(1, 2, 1, "allgather_reducescatter")]
    [InlineData(1, 2, 1, "high_throughput")]
    [InlineData(1, 2, 1, "low_latency")]
    [InlineData(1, 2, 1, "peer_mapped")]
    [InlineData(1, 2, 1, "workspace")]
    [InlineData(1, 2, 1, "fused")]
    [InlineData(1, 1, 2, "low_latency")]
    [InlineData(2, 1, 4, "low_latency")]
    public async Task What_crosses_links_is_what_a_real_run_counts(int stages, int replicas, int tensor, string strategy)
    {
        const int tokens = 150;
        string hocon = $"troupe.routing.strategy = {strategy}";
        PlanStep step = Planner.Make(Request(stages, replicas, tensor, hocon)).Steps[0];
        await using InProcessWorld world = await InProcessWorld.StartAsync(InProcessWorld.SampleModel, stages, replicas, hocon, tensor);
        RequestSpec[] All(int count) =>
            [.. Enumerable.Range(0, replicas).Select(i => InProcessWorld.Greedy($"{count}-{i}", [570, 47], count))];
        await world.RunAsync(All(20));
        long before = await SentAsync(world);
        await world.RunAsync(All(tokens));
        double sent = (await SentAsync(world) - before) / (double)tokens, planned = step.Links.Sum(l => l.Bytes);
        Assert.Equal(replicas * tensor == 1 ? "none" : strategy, step.Strategy);
        // The counted run has what is no payload beside it: heads of empty lanes, times that ranks tell each other.
        Assert.InRange(sent, 0.85 * planned, 1.15 * planned);
    }

    [Fact]
    public void Hosts_decide_the_fabric_and_the_class_of_each_link()
    {
        HostsFile two = HostsFile.Parse("hosts", "a 2 4\nb 2 4"), four = HostsFile.Parse("hosts", "a 1 4\nb 1 4\nc 1 4\nd 1 4");
        PlanReport here = Planner.Make(Request(2, 2)), apart = Planner.Make(Request(2, 2, hosts: two));
        PlanReport alone = Planner.Make(Request(2, 2, hosts: four)), tcp = Planner.Make(Request(2, 2, hocon: "troupe.fabric.kind = tcp"));
        Assert.Equal(["shm", "mixed", "tcp", "tcp"], new[] { here, apart, alone, tcp }.Select(p => p.Fabric));
        Assert.Equal(["mapped"], Links(here, "dispatch", "combine", "stage_hop", "ring"));
        Assert.Equal(["mapped"], Links(apart, "dispatch", "combine"));
        Assert.Equal(["tcp"], Links(apart, "stage_hop", "ring"));
        Assert.Equal(["tcp"], Links(alone, "dispatch", "combine", "stage_hop", "ring"));
        Assert.Equal(["tcp"], Links(tcp, "dispatch", "combine", "stage_hop", "ring"));
        Assert.Equal([4 * GiB, 4 * GiB], apart.Hosts.Select(h => h.AvailableBytes));
        // Each host maps the weights of its own stage only.
        Assert.Equal(apart.Hosts.Select(h => h.WeightBytes), new[] { 0, 1 }.Select(stage => Distinct(apart, stage)));

        static IEnumerable<string> Links(PlanReport plan, params string[] what) =>
            plan.Steps.SelectMany(s => s.Links).Where(l => what.Contains(l.What)).Select(l => l.Link).Distinct();

        long Distinct(PlanReport plan, int stage) => InProcess().ShardBytes(
            [ShardSpec.Of(InProcess().Config, new LayerSplit(plan.Split), stage, Devices.All2All.ExpertPlacement.Blocks(16, 1), 0)],
            default);
    }

    [Fact]
    public void The_tightest_host_decides_how_many_positions_all_have()
    {
        PlanReport tight = Planner.Make(Request(2, 2, hosts: HostsFile.Parse("hosts", "a 2 1\nb 2 0.1")));
        PlanHost b = tight.Hosts[1];
        Assert.True(tight.Fits);
        // Half of what weights and windows leave of 0.1 GiB, in whole blocks.
        long left = b.AvailableBytes - b.WeightBytes - b.WindowBytes;
        Assert.InRange(b.KvBytes, (left / 2) - (16 * 2 * 2048), left / 2);
    }

    [Theory]
    [InlineData(7, 1, 1, "--stages 7: the model has 6 layers and each stage needs at least one; use --stages 1 to 6")]
    [InlineData(1, 1, 3, "--tensor 3: the model's 8 query heads do not divide over 3 tensor ranks (8 mod 3 = 2); use 1, 2, 4 or 8")]
    public void A_layout_that_is_impossible_is_a_plan_with_a_problem_and_nothing_else(int stages, int replicas, int tensor, string says)
    {
        PlanReport plan = Planner.Make(Request(stages, replicas, tensor));
        Assert.False(plan.Fits);
        Assert.Equal([says], plan.Problems);
        Assert.Empty(plan.Ranks);
    }

    [Fact]
    public void Fewer_experts_than_ranks_are_allowed_and_said()
    {
        PlanReport plan = Planner.Make(Request(1, 20, hocon: "troupe.scheduler.kv-tokens = 16"));
        Assert.True(plan.Fits);
        Assert.Contains("16 experts for the 20 ranks of a stage: 4 of them hold no expert", plan.Notes);
        Assert.Equal("", plan.Ranks[^1].Experts);
    }

    [Fact]
    public void A_fabric_that_needs_one_memory_does_not_fit_two_hosts() => Assert.Equal(
        ["fabric shm: the ranks are on 2 hosts, which share no memory; use --fabric auto or tcp"],
        Planner.Make(Request(2, 1, hocon: "troupe.fabric.kind = shm", hosts: HostsFile.Parse("hosts", "a 1\nb 1"))).Problems);

    private static ModelSource InProcess() => ModelSource.FromFolder(InProcessWorld.SampleModel);

    internal static PlanRequest Request(int stages, int replicas, int tensor = 1, string hocon = "", HostsFile? hosts = null,
        ModelSource? model = null) => new(
        TroupeOptions.Read(new ConfigLayers(HoconText.Parse("test", hocon))) with { Layout = new Layout(stages, replicas, tensor) },
        model ?? InProcess(), hosts, 8 * GiB);

    private static async Task<long> SentAsync(InProcessWorld world) =>
        JsonSerializer.Deserialize(await world.Client.InspectAsync(Subject.Status, ""), ReportJson.Default.StatusReport)!
            .Ranks.Sum(r => r.FabricBytesSent);
}
