using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Devices.Topology;
using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Hosting;

/// <summary>A layout that this host's memory cannot hold is refused with the arithmetic, before anything starts.</summary>
public sealed class MemoryTests : IDisposable
{
    private const long MiB = 1 << 20, Plenty = 1L << 50;
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("troupe-memory-");

    public void Dispose() => _root.Delete(recursive: true);

    [Fact]
    public void Mapped_weights_count_once_however_many_ranks_use_them_and_windows_for_each()
    {
        long[] needs = [.. new[] { 2, 4 }.Select(replicas => Least(Plan(1, replicas, "troupe.scheduler.kv-tokens = 16")))];
        long weights = Weights();
        Assert.InRange(needs[0], weights, weights + 100 * MiB);
        Assert.InRange(needs[1], needs[0], 4 * needs[0] - 3 * weights); // a window grows with the ranks that write to it
    }

    [Fact]
    public void Weights_that_each_rank_makes_for_itself_count_for_each()
    {
        ModelSource mapped = Source(), own = mapped with { Mapped = false };
        long once = Least(Plan(1, 2, "troupe.scheduler.kv-tokens = 16", mapped));
        long twice = Least(Plan(1, 2, "troupe.scheduler.kv-tokens = 16", own));
        // The experts are split, the rest is there twice.
        Assert.InRange(twice - once, Weights() / 10, Weights());
        Assert.Equal(Least(Plan(2, 1, "troupe.scheduler.kv-tokens = 16", mapped)) + (4096 * 256 * sizeof(ushort)),
            Least(Plan(2, 1, "troupe.scheduler.kv-tokens = 16", own))); // stages share nothing but a tied embedding
    }

    [Fact]
    public void One_byte_too_few_is_refused_with_the_arithmetic_and_what_to_change()
    {
        ClusterPlan plan = Plan(1, 2, "troupe.scheduler.kv-tokens = 1000000");
        long least = Least(plan);
        string message = Assert.Throws<ConfigException>(() => plan.MemoryForKv(least - 1)).Message;
        // 6 layers x 2 x 2 heads x 32 x 4 bytes = 3 KiB for each of 1,000,000 positions.
        Assert.Matches(@"^2 ranks need \d+ MiB of memory = \d+ for weights \(mapped once\) \+ 5860 for KV \+ 2 x \d+ for windows, but "
            + @"\d+ MiB are available: use a smaller troupe.scheduler.kv-tokens, or fewer --replicas$", message);
    }

    [Fact]
    public void A_tensor_rank_keeps_only_the_KV_heads_that_its_query_heads_read()
    {
        ClusterPlan plan = Plan(1, 1, "troupe.scheduler.kv-tokens = 1000000", tensor: 2), four = Plan(1, 1, tensor: 4);
        Assert.Contains("+ 2930 for KV + ", Assert.Throws<ConfigException>(() => plan.MemoryForKv(Least(plan) - 1)).Message,
            StringComparison.Ordinal); // one of 2 heads
        Assert.InRange(four.Sizes(400 * MiB).Blocks * 16L * 1536, 49 * MiB, 51 * MiB); // of 4 ranks each has one, and a quarter of half
    }

    [Fact]
    public void Where_the_cache_may_choose_its_size_it_takes_half_of_what_weights_and_windows_leave()
    {
        ClusterPlan plan = Plan(1, 2);
        long least = Least(plan), left = plan.MemoryForKv(least + 100 * MiB);
        Assert.InRange(left, 100 * MiB, 101 * MiB); // the least has room for a block
        Assert.InRange(plan.Sizes(left).Blocks * 16L * 3072 * 2, 49 * MiB, 51 * MiB);
    }

    [Fact]
    public void More_ranks_than_the_machine_has_memory_for_are_told_what_makes_them_large()
    {
        string message = Assert.Throws<ConfigException>(() => Plan(1, 512).MemoryForKv(24L << 30)).Message;
        Assert.StartsWith("512 ranks need ", message, StringComparison.Ordinal);
        Assert.EndsWith("but 24576 MiB are available: use fewer --replicas, or a smaller troupe.scheduler.prefill-chunk", message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Available_is_what_the_kernel_says_or_what_the_tightest_control_group_leaves()
    {
        Write("proc/meminfo", "MemTotal:       8192 kB\nMemFree:  10 kB\nMemAvailable:    4096 kB\n");
        Assert.Equal(4 * MiB, HostMemory.AvailableBytes(_root.FullName));

        Write("proc/self/cgroup", "1:cpu:/x\n0::/pod/box\n");
        Write("sys/fs/cgroup/pod/box/memory.max", "max\n");
        Assert.Equal(4 * MiB, HostMemory.AvailableBytes(_root.FullName));

        Write("sys/fs/cgroup/pod/memory.max", $"{3 * MiB}\n");
        Write("sys/fs/cgroup/pod/memory.current", $"{2 * MiB}\n");
        Write("sys/fs/cgroup/pod/memory.stat", $"anon 5\ninactive_file {MiB / 2}\nactive_file {MiB / 4}\n");
        Assert.Equal(3 * MiB - (2 * MiB - 3 * MiB / 4), HostMemory.AvailableBytes(_root.FullName));

        Write("proc/self/cgroup", "4:cpu,memory:/old\n0::/\n");
        Write("sys/fs/cgroup/memory/old/memory.limit_in_bytes", $"{MiB}\n");
        Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        Write("sys/fs/cgroup/memory/old/memory.usage_in_bytes", $"{5 * MiB}\n");
        Assert.Equal(0, HostMemory.AvailableBytes(_root.FullName));
        Write("sys/fs/cgroup/memory/old/memory.stat", $"total_inactive_file {4 * MiB}\ntotal_active_file {MiB}\n");
        Assert.Equal(MiB, HostMemory.AvailableBytes(_root.FullName));
    }

    [Fact]
    public void This_machine_has_some() => Assert.InRange(HostMemory.AvailableBytes(), MiB, Plenty);

    private void Write(string path, string text)
    {
        string full = Path.Combine(_root.FullName, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }

    private static ModelSource Source() => ModelSource.FromFolder(Repository.At("models", "sample"));

    private static long Weights()
    {
        using Checkpoint checkpoint = Checkpoint.Open(Repository.At("models", "sample"));
        return checkpoint.FileBytes;
    }

    private static ClusterPlan Plan(int stages, int replicas, string hocon = "", ModelSource? model = null, int tensor = 1)
    {
        TroupeOptions options = TroupeOptions.Read(new ConfigLayers(HoconText.Parse("test", hocon)));
        return ClusterPlan.Make(options with { Layout = new Layout(stages, replicas, tensor) }, model ?? Source());
    }

    /// <summary>The fewest bytes that a plan does not refuse.</summary>
    private static long Least(ClusterPlan plan)
    {
        (long refused, long enough) = (0, Plenty);
        while (enough - refused > 1)
        {
            long middle = (refused + enough) / 2;
            try
            {
                plan.MemoryForKv(middle);
                enough = middle;
            }
            catch (ConfigException)
            {
                refused = middle;
            }
        }
        return enough;
    }
}
