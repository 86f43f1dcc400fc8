using System.Text.Json.Nodes;

namespace Troupe.Model.Tests.Families;

/// <summary>Feed-forwards, the choice of experts, and rotary positions.</summary>
internal sealed partial class Oracle
{
    private double[] FeedForward(string at, double[] x, int layer)
    {
        if (!IsMoe(layer)) return Gated($"{at}.mlp", x, Int("intermediate_size"), Flag("mlp_bias"));
        string mlp = _family == "MixtralForCausalLM" ? $"{at}.block_sparse_moe" : $"{at}.mlp";
        int experts = Int(config.ContainsKey("n_routed_experts") ? "n_routed_experts"
            : config.ContainsKey("num_experts") ? "num_experts" : "num_local_experts");
        string router = _family == "GptOssForCausalLM" ? $"{mlp}.router" : $"{mlp}.gate";
        double[] logits = Times(Matrix($"{router}.weight", experts, _hidden), x);
        if (_family == "GptOssForCausalLM") logits = [.. logits.Zip(Vector($"{router}.bias", experts), (a, b) => a + b)];
        double[] sum = new double[_hidden];
        foreach ((int expert, double weight) in Choose(logits, router))
        {
            double[] y = _family == "GptOssForCausalLM" ? Biased($"{mlp}.experts", x, experts, expert)
                : _family == "MixtralForCausalLM" ? Gated($"{mlp}.experts.{expert}", x, Int("intermediate_size"), false, "w1", "w3", "w2")
                : Gated($"{mlp}.experts.{expert}", x, Int("moe_intermediate_size", Int("intermediate_size", 0)), false);
            for (int i = 0; i < sum.Length; i++) sum[i] += weight * y[i];
        }
        if (_family == "Qwen2MoeForCausalLM")
        {
            double gate = Dot(Matrix($"{mlp}.shared_expert_gate.weight", 1, _hidden)[0], x);
            double[] y = Gated($"{mlp}.shared_expert", x, Int("shared_expert_intermediate_size"), false);
            for (int i = 0; i < sum.Length; i++) sum[i] += y[i] * Sigmoid(gate);
        }
        else if (Int("n_shared_experts", 0) is > 0 and int shared)
        {
            double[] y = Gated($"{mlp}.shared_experts", x, shared * Int("moe_intermediate_size"), Flag("mlp_bias"));
            for (int i = 0; i < sum.Length; i++) sum[i] += y[i];
        }
        return sum;
    }

    private bool IsMoe(int layer)
    {
        if (_family is "LlamaForCausalLM" or "Qwen3ForCausalLM") return false;
        if (config["mlp_only_layers"] is JsonArray dense && dense.Any(l => (int)l! == layer)) return false;
        return layer >= Int("first_k_dense_replace", 0) && (layer + 1) % Int("decoder_sparse_step", 1) == 0;
    }

    private (int Expert, double Weight)[] Choose(double[] logits, string router)
    {
        int k = Int("num_experts_per_tok");
        bool corrected = _family is "DeepseekV3ForCausalLM" or "Glm4MoeForCausalLM", v2 = _family == "DeepseekV2ForCausalLM";
        double total = logits.Sum(Math.Exp);
        double[] scores = [.. logits.Select(l => corrected ? Sigmoid(l) : Math.Exp(l) / total)], choice = [.. scores];
        if (corrected)
            choice = [.. scores.Zip(Vector($"{router}.e_score_correction_bias", logits.Length), (s, b) => s + b)];
        if (corrected || (v2 && (string?)config["topk_method"] == "group_limited_greedy"))
        {
            int groups = Int("n_group"), size = logits.Length / groups;
            IEnumerable<int> best = Enumerable.Range(0, groups).OrderByDescending(g =>
                choice.Skip(g * size).Take(size).OrderDescending().Take(corrected ? 2 : 1).Sum()).Take(Int("topk_group"));
            int[] open = [.. best];
            choice = [.. choice.Select((c, e) => open.Contains(e / size) ? c : double.NegativeInfinity)];
        }
        int[] chosen = [.. Enumerable.Range(0, logits.Length).OrderByDescending(e => choice[e]).Take(k)];
        bool normalize = _family is "MixtralForCausalLM" or "GptOssForCausalLM" || (!v2 && Flag("norm_topk_prob"));
        double all = normalize ? chosen.Sum(e => scores[e]) : 1;
        return [.. chosen.Select(e => (e, scores[e] / all * Number("routed_scaling_factor", 1)))];
    }

    private double[] Gated(string at, double[] x, int width, bool bias, string gate = "gate_proj", string up = "up_proj",
        string down = "down_proj")
    {
        double[] g = Linear($"{at}.{gate}", [x], width, bias)[0], u = Linear($"{at}.{up}", [x], width, bias)[0];
        return Linear($"{at}.{down}", [[.. g.Zip(u, (a, b) => a * Sigmoid(a) * b)]], _hidden, bias)[0];
    }

    private double[] Biased(string at, double[] x, int experts, int expert)
    {
        int width = Int("intermediate_size");
        double alpha = Number("swiglu_alpha", 1.702), limit = Number("swiglu_limit", 7);
        float[] both = get($"{at}.gate_up_proj", [experts, _hidden, 2 * width]), down = get($"{at}.down_proj", [experts, width, _hidden]);
        float[] bothBias = get($"{at}.gate_up_proj_bias", [experts, 2 * width]), downBias = get($"{at}.down_proj_bias", [experts, _hidden]);
        double[] joined = new double[width];
        for (int i = 0; i < width; i++)
        {
            (double gate, double up) = (Column(both, x, expert, 2 * width, 2 * i), Column(both, x, expert, 2 * width, 2 * i + 1));
            gate = Math.Min(gate + bothBias[expert * 2 * width + 2 * i], limit);
            up = Math.Clamp(up + bothBias[expert * 2 * width + 2 * i + 1], -limit, limit);
            joined[i] = (up + 1) * gate * Sigmoid(alpha * gate);
        }
        return [.. Enumerable.Range(0, _hidden).Select(o => Column(down, joined, expert, _hidden, o) + downBias[expert * _hidden + o])];
    }

    private static double Column(float[] matrices, double[] x, int index, int columns, int column)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++) sum += x[i] * matrices[(index * x.Length + i) * columns + column];
        return sum;
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private void Turn(Span<double> x, int position, bool neighbours)
    {
        int half = x.Length / 2;
        for (int i = 0; i < half; i++)
        {
            (double frequency, double magnitude) = Frequency(i, x.Length);
            (double sin, double cos) = Math.SinCos(position * frequency);
            (int a, int b) = neighbours ? (2 * i, 2 * i + 1) : (i, i + half);
            (x[a], x[b]) = ((x[a] * cos - x[b] * sin) * magnitude, (x[b] * cos + x[a] * sin) * magnitude);
        }
    }

    private (double Frequency, double Magnitude) Frequency(int pair, int width)
    {
        double theta = (double?)Rope?["rope_theta"] ?? Number("rope_theta", 10000), plain = Math.Pow(theta, -2.0 * pair / width);
        string type = (string?)(Rope?["rope_type"] ?? Rope?["type"]) ?? "default";
        if (type == "default") return (plain, 1);
        double Option(string key, double fallback) => (double?)Rope![key] ?? fallback;
        double factor = Option("factor", 1), original = Option("original_max_position_embeddings", Int("max_position_embeddings"));
        if (type == "linear") return (plain / factor, 1);
        if (type == "llama3")
        {
            double turns = original * plain / (2 * Math.PI), low = Option("low_freq_factor", 1), high = Option("high_freq_factor", 4);
            double kept = Math.Clamp((turns - low) / (high - low), 0, 1);
            return (plain * kept + plain / factor * (1 - kept), 1);
        }
        double At(double turns) => width * Math.Log(original / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
        (double first, double last) = (At(Option("beta_fast", 32)), At(Option("beta_slow", 1)));
        if ((bool?)Rope!["truncate"] ?? true) (first, last) = (Math.Floor(first), Math.Ceiling(last));
        (first, last) = (Math.Max(first, 0), Math.Min(last, width - 1));
        double slow = Math.Clamp((pair - first) / Math.Max(last - first, 1e-3), 0, 1);
        double Growth(double scale) => factor <= 1 ? 1 : 0.1 * scale * Math.Log(factor) + 1;
        double m = Option("mscale", 0), all = Option("mscale_all_dim", 0);
        double magnitude = Option("attention_factor", m != 0 && all != 0 ? Growth(m) / Growth(all) : Growth(1));
        return (plain * (1 - slow) + plain / factor * slow, magnitude);
    }
}
