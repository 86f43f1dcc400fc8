using System.Text.Json;
using Troupe.Cli.Tests.Support;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Results;

/// <summary>The fields that scripts rely on (DESIGN section 11), on clusters inside this process.</summary>
public sealed class JsonContractTests
{
    private static readonly string s_sample = Repository.At("models", "sample");
    private static readonly string s_golden = Repository.At("tests", "goldens", "models", "qwen3-moe");

    private static void Has(JsonElement value, params string[] fields) =>
        Assert.Empty(fields.Except(value.EnumerateObject().Select(p => p.Name)));

    [Fact]
    public async Task Generate_prints_one_object_and_the_text_of_the_golden()
    {
        using var heldOut = JsonDocument.Parse(File.ReadAllText(Path.Combine(s_sample, "heldout.json")));
        JsonElement golden = heldOut.RootElement.GetProperty("golden")[0];
        int[] greedy = [.. golden.GetProperty("greedy").EnumerateArray().Select(i => i.GetInt32())];
        JsonElement result =
            (await CliRun.With(golden.GetProperty("prompt").GetString()!, "generate", "--model", s_sample, "--json", "--max-tokens",
            $"{greedy.Length}")).Json();
        Has(result, "id", "prompt", "ids", "text", "finish_reason", "queue_ms", "prefill_ms", "decode_ms", "tokens_per_second", "resumed");
        Assert.Equal(golden.GetProperty("prompt").GetString(), result.GetProperty("prompt").GetString());
        Assert.Equal(greedy, result.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()));
        Assert.Equal(golden.GetProperty("text").GetString(), result.GetProperty("text").GetString());
        Assert.Equal("length", result.GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task Plain_generate_prints_the_same_text_and_nothing_else()
    {
        string[] args = ["generate", "ROMEO.", "--model", s_sample, "--max-tokens", "12"];
        CliRun plain = await CliRun.Of(args);
        JsonElement json = (await CliRun.Of([.. args, "--json"])).Json();
        Assert.Equal((ExitCode.Done, ""), (plain.Code, plain.Error));
        Assert.Equal(json.GetProperty("text").GetString() + Environment.NewLine, plain.Out);
    }

    [Fact]
    public async Task A_stop_text_ends_a_request_before_it()
    {
        string[] args = ["generate", "ROMEO.", "--model", s_sample, "--max-tokens", "12", "--json"];
        string whole = (await CliRun.Of(args)).Json().GetProperty("text").GetString()!;
        string stop = whole[^5..^2];
        JsonElement stopped = (await CliRun.Of([.. args, "--stop", stop])).Json();
        Assert.Equal("stop", stopped.GetProperty("finish_reason").GetString());
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], stopped.GetProperty("text").GetString());
    }

    [Theory]
    [InlineData("1", "1")]
    [InlineData("2", "2")]
    public async Task Verify_passes_on_the_golden(string stages, string replicas)
    {
        JsonElement result =
            (await CliRun.Of("verify", "--model", s_golden, "--json", "--in-process", "--stages", stages, "--replicas", replicas)).Json();
        Has(result, "cases", "max_abs_logit_diff", "max_abs_logprob_diff", "greedy_match", "first_difference");
        Assert.Equal(5, result.GetProperty("cases").GetInt32());
        Assert.True(result.GetProperty("greedy_match").GetBoolean());
        Assert.InRange(result.GetProperty("max_abs_logit_diff").GetDouble(), 0, 1e-3);
        Assert.Equal(JsonValueKind.Null, result.GetProperty("first_difference").ValueKind);
    }

    [Fact]
    public async Task Verify_fails_on_the_golden_of_another_model()
    {
        string other = Repository.At("tests", "goldens", "models", "qwen3", "golden.json");
        CliRun run = await CliRun.Of("verify", "--model", s_golden, "--golden", other, "--json");
        Assert.Equal(ExitCode.Failed, run.Code);
        using var document = JsonDocument.Parse(run.Out);
        Assert.Contains("case 0", document.RootElement.GetProperty("first_difference").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Eval_perplexity_scores_windows_and_counts_experts()
    {
        JsonElement result =
            (await CliRun.Of("eval", "perplexity", "--model", s_sample, "--windows", "2", "--json", "--in-process", "--replicas", "2"))
            .Json();
        Has(result, "perplexity", "scored_tokens", "reference_perplexity", "expert_load", "strategies_used");
        Assert.Equal(2 * 511, result.GetProperty("scored_tokens").GetInt64());
        Assert.InRange(result.GetProperty("perplexity").GetDouble(), 1, 4096);
        Assert.Equal(6, result.GetProperty("expert_load").GetArrayLength());
        foreach (JsonElement layer in result.GetProperty("expert_load").EnumerateArray())
        {
            Assert.Equal(16, layer.GetArrayLength());
            Assert.Equal(1, layer.EnumerateArray().Sum(e => e.GetDouble()), 1e-9);
        }
        Assert.True(result.GetProperty("strategies_used").EnumerateObject().Sum(p => p.Value.GetInt64()) > 0);
    }

    [Fact]
    public async Task Bench_generate_prints_one_object()
    {
        JsonElement result =
            (await CliRun.Of("bench", "generate", "--model", s_sample, "--json", "--prompt-tokens", "8", "--max-tokens", "6",
            "--sequences", "2")).Json();
        Has(result, "prefill_tokens_per_second", "decode_tokens_per_second", "sequences", "ranks", "threads", "weights", "peak_rss_bytes",
            "load_seconds",
            "read_bandwidth_bytes_per_second", "weight_bytes_per_token", "step_breakdown_us", "expert_imbalance",
            "batch_weight_bytes_per_token");
        Assert.Equal((2, 1), (result.GetProperty("sequences").GetInt32(), result.GetProperty("ranks").GetInt32()));
        Assert.True(result.GetProperty("decode_tokens_per_second").GetDouble() > 0);
        Assert.True(result.GetProperty("weight_bytes_per_token").GetInt64() > 0);
        Assert.Equal(JsonValueKind.Null, result.GetProperty("expert_imbalance").ValueKind); // one rank is its own mean
    }

    [Theory]
    [InlineData("--replicas", "2")]
    [InlineData("--stages", "2", "--replicas", "2")]
    [InlineData("--tensor", "2")]
    public async Task Bench_generate_counts_what_the_experts_of_ranks_had_to_do(params string[] layout)
    {
        JsonElement result = (await CliRun.Of(["bench", "generate", "--model", s_sample, "--json", "--in-process", "--prompt-tokens", "8",
            "--max-tokens", "6", "--sequences", "4", .. layout])).Json();
        // Of 2 ranks the busier one has from as many rows as the other to all of them.
        Assert.InRange(result.GetProperty("expert_imbalance").GetDouble(), 1, 2);
        // Rows of a step share what they read: less than each would alone, but the experts of four rows are more than those of one.
        double together = result.GetProperty("batch_weight_bytes_per_token").GetDouble();
        Assert.InRange(together, 1e6, result.GetProperty("weight_bytes_per_token").GetDouble());
    }

    [Fact]
    public async Task Bench_step_prints_one_object_whose_parts_add_up_to_the_step()
    {
        JsonElement result = (await CliRun.Of("bench", "step", "--model", s_sample, "--json", "--in-process", "--stages", "2",
            "--replicas", "2", "--prompt-tokens", "8", "--max-tokens", "6", "--sequences", "2")).Json();
        Has(result, "model", "layout", "fabric", "threads", "sequences", "prompt_tokens", "max_tokens", "ranks", "prefill", "decode");
        Assert.Equal(4, result.GetProperty("ranks").GetArrayLength());
        foreach (JsonElement rank in result.GetProperty("ranks").EnumerateArray())
        {
            Has(rank, "rank", "stage", "replica", "tensor", "prefill", "decode");
            JsonElement decode = rank.GetProperty("decode");
            Has(decode, "steps", "rows", "step_us", "idle_us", "parts", "unaccounted_us", "unaccounted_share", "waiting_for_us");
            Assert.True(decode.GetProperty("steps").GetInt32() >= 4);
            double step = decode.GetProperty("step_us").GetProperty("mean_us").GetDouble();
            double parts = decode.GetProperty("parts").EnumerateArray().Sum(p => p.GetProperty("us").GetProperty("mean_us").GetDouble());
            Assert.Equal(step, parts + decode.GetProperty("unaccounted_us").GetProperty("mean_us").GetDouble(), step * 1e-3);
            Has(decode.GetProperty("parts")[0], "name", "us", "share", "waiting_us");
        }
        JsonElement totals = result.GetProperty("decode");
        Has(totals, "steps", "tokens", "expert_imbalance", "weight_bytes_per_token", "stage_hops");
        // The first token comes with the prompt. While one sequence has its prompt, the other may decode: in a prefill step.
        Assert.Equal(2 * (8 + 5), totals.GetProperty("tokens").GetInt64() + result.GetProperty("prefill").GetProperty("tokens").GetInt64());
        Assert.InRange(totals.GetProperty("tokens").GetInt64(), 4, 2 * 5);
        Assert.InRange(totals.GetProperty("expert_imbalance").GetDouble(), 1, 2);
        Assert.True(totals.GetProperty("weight_bytes_per_token").GetDouble() > 1e6);
        Has(totals.GetProperty("stage_hops"), "hops", "hop_us", "copy_us", "late_us", "unaccounted_us", "clock_uncertainty_us");
    }

    [Fact]
    public async Task Tokenize_prints_one_object_a_line()
    {
        CliRun run = await CliRun.With("\"But, soft!\"\n\n\"caf\\u00e9\"\n", "tokenize", "--model", s_sample);
        Assert.Equal((ExitCode.Done, ""), (run.Code, run.Error));
        string[] lines = run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        foreach (string line in lines)
        {
            Assert.True(line.All(char.IsAscii));
            using var document = JsonDocument.Parse(line);
            Has(document.RootElement, "text", "ids", "ids_without_special", "decoded", "decoded_skip_special");
            Assert.Equal(document.RootElement.GetProperty("text").GetString(), document.RootElement.GetProperty("decoded").GetString());
        }
    }

    [Fact]
    public async Task Devices_tells_which_fabrics_and_strategies_work_here()
    {
        JsonElement result = (await CliRun.Of("devices", "--json")).Json();
        Has(result, "cores", "simd", "bf16_products", "onednn", "fabrics", "strategies");
        Assert.Equal(["inprocess", "shm", "tcp", "mixed"],
            result.GetProperty("fabrics").EnumerateArray().Select(f => f.GetProperty("name").GetString()));
        Assert.All(result.GetProperty("fabrics").EnumerateArray(), f =>
            Assert.True(f.GetProperty("available").GetBoolean(), f.GetProperty("detail").GetString()));
        Assert.Contains(result.GetProperty("strategies").EnumerateArray(), s => s.GetProperty("available").GetBoolean());
    }

    [Fact]
    public async Task Demo_prints_outcomes_members_and_steps()
    {
        JsonElement result = (await CliRun.Of("demo", "--model", s_sample, "--in-process", "--max-tokens", "4", "--json")).Json();
        Has(result, "outcomes", "members", "steps");
        Assert.All(result.GetProperty("outcomes").EnumerateArray(), o => Assert.Equal(4, o.GetProperty("ids").GetArrayLength()));
        Assert.NotEqual(0, result.GetProperty("steps").GetArrayLength());
        Has(result.GetProperty("members")[0], "address", "roles", "status", "reachable", "pid", "rank", "provider");
        Has(result.GetProperty("steps")[0], "step", "strategy", "reason", "predicted_us", "measured_us", "lease");
    }
}
