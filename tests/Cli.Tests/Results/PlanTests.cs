using System.Text.Json;
using Troupe.Cli.Tests.Support;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Results;

/// <summary>troupe plan from end to end: texts that were read and found right once, the fields that scripts rely on, and bad
/// input.</summary>
public sealed class PlanTests : IDisposable
{
    private const string Hosts = "# memory is given, so that no machine decides\nalpha 4 2\nbeta 4 2\n";

    /// <summary>Dense and MoE layers, biases and a shared expert, an odd vocabulary.</summary>
    private const string Synthetic = """
        {"architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "torch_dtype": "float32",
        "hidden_size": 512, "num_hidden_layers": 9, "num_attention_heads": 12, "num_key_value_heads": 4, "head_dim": 64,
        "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 320, "shared_expert_intermediate_size": 640,
        "intermediate_size": 1536, "norm_topk_prob": true, "decoder_sparse_step": 2, "mlp_only_layers": [], "vocab_size": 10007,
        "max_position_embeddings": 1024, "rope_theta": 10000.0, "rms_norm_eps": 1e-06, "hidden_act": "silu",
        "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": 2}
        """;

    private static readonly string s_sample = Repository.At("models", "sample");
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sample-2x2", "", "--stages", "2", "--replicas", "2")]
    [InlineData("sample-3x2-hand", "", "--stages", "3", "--replicas", "2", "--split", "2,2,2", "--kv", "bf16", "--rows", "bf16")]
    [InlineData("synthetic-2x2x2", Synthetic, "--stages", "2", "--replicas", "2", "--tensor", "2", "--strategy", "low_latency")]
    [InlineData("synthetic-too-large", Synthetic, "--stages", "1", "--replicas", "8", "--fabric", "shm")]
    [InlineData("sample-suggest-8", "", "--suggest", "8")]
    public async Task A_plan_reads_as_in_the_golden(string golden, string config, params string[] layout)
    {
        string model = config.Length > 0 ? _folder.Write("config.json", config) : s_sample;
        CliRun run = await CliRun.Of(["plan", "--model", model, "--hosts", _folder.Write("hosts", Hosts), .. layout]);
        Assert.Equal("", run.Error);
        Assert.Equal(golden.EndsWith("large", StringComparison.Ordinal) ? ExitCode.Failed : ExitCode.Done, run.Code);
        string path = Repository.At("tests", "goldens", "plans", $"{golden}.txt");
        string got = run.Out.Replace(model, "MODEL", StringComparison.Ordinal).Replace(_folder.Path + "/", "", StringComparison.Ordinal);
        if (Environment.GetEnvironmentVariable("TROUPE_WRITE_GOLDENS") is { Length: > 0 }) await File.WriteAllTextAsync(path, got);
        Assert.Equal(await File.ReadAllTextAsync(path), got);
    }

    [Fact]
    public async Task Plan_prints_one_object_whose_numbers_follow_from_the_config()
    {
        JsonElement plan = (await CliRun.Of("plan", "--model", s_sample, "--stages", "2", "--replicas", "2", "--json")).Json();
        Has(plan, "model", "layout", "stages", "replicas", "tensor", "split", "split_by", "fabric", "fits", "problems", "notes",
            "kv_tokens", "ranks", "hosts", "steps", "pipeline", "groups");
        Assert.True(plan.GetProperty("fits").GetBoolean());
        Assert.Equal([4, 2], plan.GetProperty("split").EnumerateArray().Select(n => n.GetInt32()));
        JsonElement rank = plan.GetProperty("ranks")[3];
        Has(rank, "rank", "host", "stage", "replica", "tensor", "layers", "experts", "query_heads", "kv_heads", "weight_bytes",
            "kv_bytes_per_token", "kv_bytes", "window_bytes", "active_parameters");
        Assert.Equal((3, 1, 1, 0, "4-5", "8-15"), (Int(rank, "rank"), Int(rank, "stage"), Int(rank, "replica"), Int(rank, "tensor"),
            rank.GetProperty("layers").GetString(), rank.GetProperty("experts").GetString()));
        Assert.Equal(2 * 2 * 2 * 32 * sizeof(float), Int(rank, "kv_bytes_per_token")); // layers, keys and values, heads, their width
        // Two layers of attention, norms, a router and 8 experts in bf16, the last norm and the head.
        long layer = (2 * 256 * 256) + (2 * 256 * 64) + (2 * 32) + (2 * 256) + (16 * 256) + (8 * 3 * 256 * 96);
        Assert.Equal(2 * ((2 * layer) + 256 + (4096 * 256)), Int(rank, "weight_bytes"));
        Has(plan.GetProperty("hosts")[0], "host", "ranks", "weight_bytes", "kv_bytes", "window_bytes", "need_bytes", "available_bytes",
            "problem");
        Assert.Equal(["decode", "prefill"], plan.GetProperty("steps").EnumerateArray().Select(s => s.GetProperty("kind").GetString()));
        Has(plan.GetProperty("steps")[0], "kind", "rows_per_replica", "strategy", "reason", "links");
        Has(plan.GetProperty("steps")[0].GetProperty("links")[0], "what", "link", "bytes", "messages");
        Has(plan.GetProperty("pipeline"), "micro_batches", "decode_bubble", "prefill");
        Has(plan.GetProperty("pipeline").GetProperty("prefill")[0], "chunks", "ideal_bubble", "bubble");
        Assert.Equal("[[0,1],[2,3]]", plan.GetProperty("groups").GetProperty("expert").GetRawText());
        Assert.Equal("[[0,2],[1,3]]", plan.GetProperty("groups").GetProperty("pipeline").GetRawText());
    }

    [Fact]
    public async Task Suggestions_print_one_object()
    {
        JsonElement suggested = (await CliRun.Of("plan", "--model", s_sample, "--suggest", "6", "--json")).Json();
        Has(suggested, "model", "ranks", "requests", "read_bytes_per_second", "layouts");
        Assert.Equal(9, suggested.GetProperty("layouts").GetArrayLength());
        Has(suggested.GetProperty("layouts")[0], "stages", "replicas", "tensor", "split", "fits", "why", "round_us", "step_us",
            "weights_us", "exchange_us", "hop_us", "tensor_us", "bubble", "link_bytes", "messages", "kv_tokens", "most_rank_bytes");
        JsonElement last = suggested.GetProperty("layouts")[8];
        Assert.False(last.GetProperty("fits").GetBoolean());
        Assert.StartsWith("--tensor ", last.GetProperty("why").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_config_alone_plans_as_the_folder_it_is_from()
    {
        string[] layout = ["--stages", "2", "--replicas", "2", "--hosts", _folder.Write("hosts", Hosts), "--json"];
        string folder = (await CliRun.Of(["plan", "--model", s_sample, .. layout])).Out;
        string config = (await CliRun.Of(["plan", "--model", Path.Combine(s_sample, "config.json"), .. layout])).Out;
        Assert.Equal(folder, config.Replace("sample/config.json", "sample", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_profile_and_a_file_of_settings_decide_where_the_command_line_says_nothing()
    {
        string profile = _folder.Write("times.json", """{"layer_us": [9, 1, 1, 1, 1, 1], "embedding_us": 0, "head_us": 1}""");
        string settings = _folder.Write("my.conf", "troupe { layout.stages = 2, scheduler.kv-tokens = 64 }");
        JsonElement plan = (await CliRun.Of("plan", "--model", s_sample, "--profile", profile, "-c", settings, "--json")).Json();
        Assert.Equal("profile", plan.GetProperty("split_by").GetString());
        Assert.Equal([1, 5], plan.GetProperty("split").EnumerateArray().Select(n => n.GetInt32()));
        Assert.Equal(64, Int(plan, "kv_tokens"));
    }

    [Theory]
    [InlineData("--split 4,3: 4 + 3 = 7 layers, but the model has 6", "--stages", "2", "--split", "4,3")]
    [InlineData("--split 3,3 names 2 stages, but --stages is 3", "--stages", "3", "--split", "3,3")]
    [InlineData("--split gives stage 0 no layer, and each stage needs at least one, got '0,6'", "--stages", "2", "--split", "0,6")]
    [InlineData("--suggest tries all layouts of 4 ranks: leave out --stages", "--suggest", "4", "--stages", "2")]
    [InlineData("--suggest must be a whole number in [0, 1024], got '-1'", "--suggest", "-1")]
    [InlineData("--bandwidth must be a number above 0, got '0'", "--suggest", "4", "--bandwidth", "0")]
    public async Task Wrong_usage_is_one_line(string says, params string[] args)
    {
        string line = (await CliRun.Of(["plan", "--model", s_sample, .. args])).OneLine(ExitCode.WrongUsage);
        Assert.Contains(says, line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a 2\na 2", "hosts:2: host a stands in line 1 already")]
    [InlineData("a 2\nb none", "hosts:2: slots must be a whole number in [1, 1024], got none")]
    [InlineData("a 1\nb 2", "hosts: 2 stages x 2 replicas x 1 tensor ranks = 4 ranks, but 2 hosts have 1 + 2 = 3 slots")]
    public async Task A_hosts_file_that_does_not_hold_is_one_line_that_names_it(string hosts, string says)
    {
        string line = (await CliRun.Of("plan", "--model", s_sample, "--stages", "2", "--replicas", "2", "--hosts",
            _folder.Write("hosts", hosts))).OneLine(ExitCode.Failed);
        Assert.Contains(says, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_that_ranks_ask_for_and_the_file_does_not_have_is_one_line()
    {
        string settings = _folder.Write("my.conf", "troupe { layout { stages = 2, replicas = 2 }\n fabric.host = \"a,a,b,c\" }");
        string line = (await CliRun.Of("plan", "--model", s_sample, "-c", settings, "--hosts", _folder.Write("hosts", "a 2\nb 2")))
            .OneLine(ExitCode.Failed);
        Assert.Contains("hosts: unknown host c, which troupe.fabric.host names; the file has a, b", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("does not fit: --stages 7: the model has 6 layers and each stage needs at least one", "--stages", "7")]
    [InlineData("does not fit: --tensor 3: the model's 8 query heads do not divide over 3 tensor ranks (8 mod 3 = 2)", "--tensor", "3")]
    [InlineData("does not fit: this host: 1024 ranks need ", "--replicas", "1024")]
    public async Task What_does_not_fit_is_said_with_the_arithmetic_and_exit_code_1(string says, params string[] args)
    {
        CliRun run = await CliRun.Of(["plan", "--model", s_sample, .. args]);
        Assert.Equal((ExitCode.Failed, ""), (run.Code, run.Error));
        Assert.Contains(says, run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_is_nowhere_is_one_line() => Assert.Contains(
        "no such file; --model wants a model's folder or a config.json",
        (await CliRun.Of("plan", "--model", Path.Combine(_folder.Path, "nothing"))).OneLine(ExitCode.Failed), StringComparison.Ordinal);

    private static long Int(JsonElement value, string field) => value.GetProperty(field).GetInt64();

    private static void Has(JsonElement value, params string[] fields) =>
        Assert.Empty(fields.Except(value.EnumerateObject().Select(p => p.Name)));
}
