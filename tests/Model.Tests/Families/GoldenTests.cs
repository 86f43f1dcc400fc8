using Troupe.Devices.Kernels;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tests.Layers;
using Xunit;

namespace Troupe.Model.Tests.Families;

public sealed class GoldenTests
{
    private const float Tolerance = 1e-3f;

    private static readonly string[] s_models =
    [
        "qwen3-moe", "qwen3-moe-mixed", "qwen3", "qwen2-moe", "llama", "llama31-rope", "mixtral", "olmoe",
        "deepseek-v2-lite", "deepseek-v3", "deepseek-v3-yarn", "glm4-moe", "gpt-oss", "gpt-oss-mxfp4", "qwen3-moe-fp8",
    ];

    public static IEnumerable<object[]> Whole =>
        from model in s_models
        from device in (string[])["reference", "cpu", "cpu with 2 threads"]
        from config in (string[])["config.json", "config.v5.json"]
        where device != "reference" || config == "config.json"
        select (object[])[model, device, config];

    /// <summary>Stages, members, tensor ranks; two replicas are two members.</summary>
    public static IEnumerable<object[]> Layouts =>
        from model in s_models
        from layout in ((int, int, int)[])[(2, 1, 1), (1, 2, 1), (2, 2, 1), (1, 1, 2), (2, 2, 2)]
        select (object[])[model, layout.Item1, layout.Item2, layout.Item3];

    [Theory]
    [MemberData(nameof(Whole))]
    public void A_whole_model_agrees_with_the_golden(string model, string device, string config)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder(model));
        using var cluster = new TestCluster(checkpoint.Get, ModelConfig.Load(Golden.Folder(model), config), Device(device));
        Compare(cluster, model);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    [InlineData("qwen3-moe", 3, 1, 1)]
    [InlineData("qwen3-moe-mixed", 3, 1, 1)]
    [InlineData("qwen3", 3, 1, 1)]
    [InlineData("qwen3-moe", 2, 3, 1)]
    [InlineData("qwen3-moe-mixed", 1, 5, 1)]
    [InlineData("qwen3-moe-mixed", 2, 13, 1)]
    [InlineData("qwen2-moe", 3, 3, 1)]
    [InlineData("qwen3-moe", 1, 1, 4)]
    [InlineData("qwen3-moe-mixed", 3, 2, 3)]
    [InlineData("qwen3", 3, 2, 4)]
    public void A_model_cut_in_stages_replicas_and_tensor_ranks_agrees_with_the_golden(string model, int stages, int members, int tensor)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Golden.Folder(model));
        using var cluster = new TestCluster(checkpoint.Get, checkpoint.Config, TestCluster.Cpu, stages, members, tensor: tensor);
        Compare(cluster, model, members - 1);
    }

    private static Func<IDevice> Device(string name) => name switch
    {
        "reference" => TestCluster.Reference,
        "cpu" => TestCluster.Cpu,
        _ => TestCluster.CpuTwoThreads,
    };

    private static void Compare(TestCluster cluster, string model, int member = 0)
    {
        foreach (GoldenCase golden in Golden.Load(model).Cases)
        {
            cluster.Place(1, golden.Prompt.Length, member);
            List<float[]> logits = cluster.Feed(golden.Prompt, slot: 1, member: member);
            for (int v = 0; v < golden.LastLogits.Length; v++) Assert.Equal(golden.LastLogits[v], logits[^1][v], Tolerance);
            for (int row = 0; row < golden.Prompt.Length; row++)
                for (int i = 0; i < 8; i++)
                    Assert.Equal(golden.Top8LogProbs[row][i], LogProb(logits[row], golden.Top8Ids[row][i]), Tolerance);
            Assert.Equal(golden.Greedy, cluster.Greedy(golden.Prompt, golden.Greedy.Length, slot: 2, member: member));
        }
    }

    private static float LogProb(float[] logits, int id)
    {
        double max = logits.Max();
        return (float)(logits[id] - max - Math.Log(logits.Sum(value => Math.Exp(value - max))));
    }
}
