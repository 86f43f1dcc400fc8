using Troupe.Actors.Planning;
using Troupe.Cli.Measures;
using Troupe.Cli.Output;
using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;
using Troupe.Model.Families;
using Xunit;

namespace Troupe.Cli.Tests.Results;

public sealed class MeasuresTests
{
    /// <summary>
    /// The shape of the benchmark's synthetic model, of which is known: 177.5 million parameters active per token, routers left out.
    /// </summary>
    private const string SyntheticConfig = """
        {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "torch_dtype": "bfloat16",
        "hidden_size": 1024, "num_hidden_layers": 12,
        "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 64,
        "num_experts": 64, "num_experts_per_tok": 8, "moe_intermediate_size": 384,
        "intermediate_size": 3072, "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": [], "vocab_size": 32000,
        "max_position_embeddings": 2048, "rope_theta": 1000000.0, "rope_scaling": null, "rms_norm_eps": 1e-06, "hidden_act": "silu",
        "attention_bias": false, "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": 2}
        """;

    [Fact]
    public void The_synthetic_model_reads_its_active_weights_and_routers_for_a_token()
    {
        ModelConfig model = ModelConfig.Parse("config.json", System.Text.Encoding.UTF8.GetBytes(SyntheticConfig));
        Assert.Equal(177.5e6, ActiveWeights.Values(model) - (12 * 64 * 1024), 1e3);
        Assert.Equal(2 * ActiveWeights.Values(model), ActiveWeights.Bytes(model, default));
        // 9 and 5 of 16 bits with the scales of the groups; routers, norms and the embedding's row stay as they are.
        double matrices = ActiveWeights.Values(model) - (12 * 64 * 1024);
        Assert.InRange(ActiveWeights.Bytes(model, new WeightForm(ElementType.Int8)) / (2 * matrices), 0.530, 0.540);
        Assert.InRange(ActiveWeights.Bytes(model, new WeightForm(ElementType.Int4)) / (2 * matrices), 0.281, 0.291);
    }

    [Fact]
    public void Prefill_lasts_until_each_request_has_its_first_token()
    {
        var time = new ManualClock();
        var clock = new GenerationClock(2, time);
        time.Advance(1);
        clock.On(0, 1);
        time.Advance(1);
        clock.On(0, 2); // While the other prompt is still being prefilled: counts for neither phase.
        time.Advance(2);
        clock.On(1, 1);
        time.Advance(3);
        clock.On(0, 4);
        time.Advance(1);
        clock.On(1, 3);
        clock.On(1, 3); // The end comes without a new token.
        Assert.Equal((4.0, 4.0, 4), (clock.PrefillSeconds, clock.DecodeSeconds, clock.DecodedTokens));
    }

    [Fact]
    public void A_table_is_aligned_text_in_a_pipe_and_drawn_at_a_terminal()
    {
        Grid grid = new Grid("name", "count") { Numbers = ["count"] }.Row("a", "1").Row("longer [x]", "22");
        var pipe = new StringWriter();
        grid.WriteTo(new Shell { Out = pipe, Error = TextWriter.Null, OpenInput = () => Stream.Null });
        Assert.Equal(["name        count", "a               1", "longer [x]     22", ""], pipe.ToString().Split(Environment.NewLine));

        var terminal = new StringWriter();
        grid.WriteTo(new Shell { Out = terminal, Error = TextWriter.Null, OpenInput = () => Stream.Null, OutIsTerminal = true,
            Color = false });
        Assert.Contains("╭", terminal.ToString(), StringComparison.Ordinal);
        Assert.Contains("longer [x]", terminal.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b[38", terminal.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_narrow_terminal_cuts_the_column_that_may_be_cut()
    {
        Grid grid = new Grid("step", "strategy", "why") { Numbers = ["step"], Clipped = "why" }
            .Row("812", "allgather_reducescatter", "the only strategy that is legal here");
        var terminal = new StringWriter();
        var shell = new Shell { Out = terminal, Error = TextWriter.Null, OpenInput = () => Stream.Null, OutIsTerminal = true, Width = 60 };
        grid.WriteTo(shell);
        string[] lines = terminal.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(5, lines.Length);
        Assert.Contains("allgather_reducescatter", lines[3], StringComparison.Ordinal);
        Assert.Contains("the only", lines[3], StringComparison.Ordinal);
        Assert.Contains("\u2026", lines[3], StringComparison.Ordinal);
        var styles = new System.Text.RegularExpressions.Regex("\u001b\\[[0-9;]*m");
        Assert.All(lines, line => Assert.True(styles.Replace(line, "").TrimEnd().Length <= 60, line));
    }

    private sealed class ManualClock : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => _now;

        public void Advance(long seconds) => _now += seconds;
    }
}
