using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Xunit;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>Whole clusters inside this process: the router predicts by what its ranks measured, and hears back the like.</summary>
public sealed class CalibratedTests
{
    private static readonly int[] s_prompt = [570, 47, 39, 497, 14];

    [Fact]
    public async Task The_routers_model_comes_from_the_ranks_and_its_predictions_are_of_the_size_of_what_is_measured()
    {
        await using InProcessWorld world = await StartAsync(2, "troupe.routing.lease-steps = 0");
        await RunAsync(world, 60);

        StatusReport status = await StatusAsync(world);
        Assert.StartsWith("mapped: ", status.Links, StringComparison.Ordinal);
        Assert.All(status.Schedulers, s => Assert.True(s.MetadataRoundUs > 0));
        ExplainReport last = await ExplainAsync(world);
        // Late steps: a machine that was starved while it measured its links has been corrected by then.
        ExplainReport[] late = await Task.WhenAll(Enumerable.Range(40, 20).Select(step => ExplainAsync(world, $"{step}")));
        double[] off = [.. late.Where(s => s.MeasuredUs > 0).Select(s => s.MeasuredUs!.Value / s.PredictedUs[s.Strategy]).Order()];
        Assert.True(off.Length > 10, $"{off.Length} of {late.Length} steps were measured");
        Assert.InRange(off[off.Length / 2], 1.0 / 20, 20);
        Assert.Contains("all ranks are on one host", last.Illegal["hierarchical"]);
    }

    [Fact]
    public async Task A_lease_says_how_long_its_exchanges_took_by_themselves()
    {
        await using InProcessWorld world = await StartAsync(2, "troupe.routing.lease-steps = 16");
        await RunAsync(world, 60);
        ExplainReport[] steps = await Task.WhenAll(Enumerable.Range(3, 40).Select(step => ExplainAsync(world, $"{step}")));
        Assert.Contains(steps, s => s.Lease.StartsWith("leased", StringComparison.Ordinal) && s.MeasuredUs > 0);
    }

    [Fact]
    public async Task A_single_rank_measures_nothing()
    {
        await using InProcessWorld world = await StartAsync(1);
        await RunAsync(world, 5);
        Assert.Null((await StatusAsync(world)).Links);
    }

    [Theory]
    [InlineData("a,b", 2)]
    [InlineData("a,a,b,b", 4)]
    public async Task Several_hosts_make_hierarchical_legal_and_it_serves_with_the_same_tokens(string hosts, int replicas)
    {
        await using InProcessWorld plain = await StartAsync(replicas),
            pinned = await StartAsync(replicas, $"troupe {{ fabric.host = \"{hosts}\", routing.strategy = hierarchical }}");

        IReadOnlyList<RequestOutcome> want = await RunAsync(plain, 30), got = await RunAsync(pinned, 30);

        Assert.Equal(want.Select(o => string.Join(' ', o.Ids)), got.Select(o => string.Join(' ', o.Ids)));
        ExplainReport last = await ExplainAsync(pinned);
        Assert.Equal("hierarchical", last.Strategy);
        Assert.Contains("hierarchical", last.PredictedUs.Keys);
        Assert.Contains("not all ranks are on one host", last.Illegal["peer_mapped"]);
        Assert.Equal(["hierarchical"], (await StatusAsync(pinned)).StrategiesUsed.Keys);
    }

    private static Task<InProcessWorld> StartAsync(int replicas, string hocon = "") =>
        InProcessWorld.StartAsync(InProcessWorld.SampleModel, 1, replicas, hocon);

    private static Task<IReadOnlyList<RequestOutcome>> RunAsync(InProcessWorld world, int tokens) =>
        world.RunAsync([.. Enumerable.Range(0, 4).Select(i => InProcessWorld.Greedy($"r{i}", [.. s_prompt.Skip(i)], tokens))]);

    private static async Task<StatusReport> StatusAsync(InProcessWorld world) =>
        JsonSerializer.Deserialize(await world.Client.InspectAsync(Subject.Status, ""), ReportJson.Default.StatusReport)!;

    private static async Task<ExplainReport> ExplainAsync(InProcessWorld world, string step = "") =>
        JsonSerializer.Deserialize(await world.Client.InspectAsync(Subject.Explain, step), ReportJson.Default.ExplainReport)!;
}
