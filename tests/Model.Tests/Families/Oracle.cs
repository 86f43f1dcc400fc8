using System.Text.Json.Nodes;

namespace Troupe.Model.Tests.Families;

/// <summary>
/// All families as their papers and reference classes read, over a whole text at once, in doubles, from config.json itself: shares no line
/// with what is tested. Keys and values are made for every head, where the product keeps latent vectors.
/// </summary>
internal sealed partial class Oracle(JsonObject config, Func<string, int[], float[]> get)
{
    private readonly string _family = (string)config["architectures"]![0]!;
    private readonly int _hidden = (int)config["hidden_size"]!, _heads = (int)config["num_attention_heads"]!;

    /// <summary>Logits of every position.</summary>
    public double[][] Logits(int[] tokens)
    {
        int vocabulary = Int("vocab_size");
        double[][] embedding = Matrix("model.embed_tokens.weight", vocabulary, _hidden);
        double[][] x = [.. tokens.Select(token => (double[])embedding[token].Clone())];
        for (int layer = 0; layer < Int("num_hidden_layers"); layer++)
        {
            string at = $"model.layers.{layer}";
            double[][] normed = Norm(x, $"{at}.input_layernorm.weight", Epsilon);
            Add(x, config.ContainsKey("kv_lora_rank") ? Latent($"{at}.self_attn", normed) : Grouped($"{at}.self_attn", normed, layer));
            normed = Norm(x, $"{at}.post_attention_layernorm.weight", Epsilon);
            Add(x, [.. normed.Select(row => FeedForward(at, row, layer))]);
        }
        double[][] head = Flag("tie_word_embeddings") ? embedding : Matrix("lm_head.weight", vocabulary, _hidden);
        return [.. Norm(x, "model.norm.weight", Epsilon).Select(row => Times(head, row))];
    }

    private double Epsilon => Number("rms_norm_eps", 1e-6);

    private double[][] Grouped(string at, double[][] x, int layer)
    {
        int kvHeads = Int("num_key_value_heads"), size = Int("head_dim", _hidden / _heads);
        bool bias = Flag("attention_bias") || Flag("qkv_bias");
        double[][] q = Linear($"{at}.q_proj", x, _heads * size, bias), k = Linear($"{at}.k_proj", x, kvHeads * size, bias);
        double[][] v = Linear($"{at}.v_proj", x, kvHeads * size, bias);
        if (_family == "OlmoeForCausalLM")
        {
            (q, k) = (Norm(q, $"{at}.q_norm.weight", Epsilon), Norm(k, $"{at}.k_norm.weight", Epsilon));
            if (config["clip_qkv"] is { } limit)
                foreach (double[] row in q.Concat(k).Concat(v))
                    for (int i = 0; i < row.Length; i++) row[i] = Math.Clamp(row[i], -(double)limit, (double)limit);
        }
        else if (_family.StartsWith("Qwen3", StringComparison.Ordinal) || Flag("use_qk_norm"))
        {
            q = [.. q.Select(row => NormHeads(row, size, $"{at}.q_norm.weight"))];
            k = [.. k.Select(row => NormHeads(row, size, $"{at}.k_norm.weight"))];
        }
        int turning = (int)(size * Number("partial_rotary_factor", _family == "Glm4MoeForCausalLM" ? 0.5 : 1));
        for (int t = 0; t < x.Length; t++)
        {
            for (int h = 0; h < _heads; h++) Turn(q[t].AsSpan(h * size, turning), t, neighbours: false);
            for (int h = 0; h < kvHeads; h++) Turn(k[t].AsSpan(h * size, turning), t, neighbours: false);
        }
        bool oss = _family == "GptOssForCausalLM";
        bool windowed = oss ? config["layer_types"] is { } types ? (string)types[layer]! == "sliding_attention" : layer % 2 == 0
            : _family == "MixtralForCausalLM" && config["sliding_window"] is not null;
        double[]? sinks = oss ? Vector($"{at}.sinks", _heads) : null;
        double[][] mixed = Mix(x.Length, windowed ? Int("sliding_window") : int.MaxValue, 1 / Math.Sqrt(size), sinks, size,
            (t, h) => q[t].AsSpan(h * size, size), (s, h) => k[s].AsSpan(h / (_heads / kvHeads) * size, size),
            (s, h) => v[s].AsSpan(h / (_heads / kvHeads) * size, size));
        return Linear($"{at}.o_proj", mixed, _hidden, Flag("attention_bias") && _family != "Glm4MoeForCausalLM");
    }

    private double[][] Latent(string at, double[][] x)
    {
        int rank = Int("kv_lora_rank"), still = Int("qk_nope_head_dim"), turning = Int("qk_rope_head_dim"), value = Int("v_head_dim");
        int size = still + turning, queryRank = Int("q_lora_rank", 0), length = x.Length;
        bool bias = Flag("attention_bias"), neighbours = Flag("rope_interleave", true);
        double[][] q = queryRank == 0 ? Linear($"{at}.q_proj", x, _heads * size, false) : Linear($"{at}.q_b_proj",
            Norm(Linear($"{at}.q_a_proj", x, queryRank, bias), $"{at}.q_a_layernorm.weight", 1e-6), _heads * size, false);
        double[][] both = Linear($"{at}.kv_a_proj_with_mqa", x, rank + turning, bias);
        double[][] kv = Linear($"{at}.kv_b_proj", Norm([.. both.Select(row => row[..rank])], $"{at}.kv_a_layernorm.weight", 1e-6),
            _heads * (still + value), false);
        double[][] keys = new double[length][];
        for (int t = 0; t < length; t++)
        {
            Turn(both[t].AsSpan(rank, turning), t, neighbours);
            keys[t] = new double[_heads * size];
            for (int h = 0; h < _heads; h++)
            {
                Turn(q[t].AsSpan(h * size + still, turning), t, neighbours);
                kv[t].AsSpan(h * (still + value), still).CopyTo(keys[t].AsSpan(h * size));
                both[t].AsSpan(rank, turning).CopyTo(keys[t].AsSpan(h * size + still));
            }
        }
        double scale = 1 / Math.Sqrt(size);
        if (Rope is { } rope && rope["mscale_all_dim"] is { } all && (double)all != 0 && (double)rope["factor"]! > 1)
            scale *= Math.Pow(0.1 * (double)all * Math.Log((double)rope["factor"]!) + 1, 2);
        double[][] mixed = Mix(length, int.MaxValue, scale, null, value, (t, h) => q[t].AsSpan(h * size, size),
            (s, h) => keys[s].AsSpan(h * size, size), (s, h) => kv[s].AsSpan(h * (still + value) + still, value));
        return Linear($"{at}.o_proj", mixed, _hidden, bias);
    }

    private delegate Span<double> Part(int position, int head);

    private double[][] Mix(int length, int window, double scale, double[]? sinks, int width, Part query, Part key, Part value)
    {
        double[][] all = new double[length][];
        for (int t = 0; t < length; t++)
        {
            all[t] = new double[_heads * width];
            for (int h = 0; h < _heads; h++)
            {
                double sum = sinks is null ? 0 : Math.Exp(sinks[h]);
                Span<double> to = all[t].AsSpan(h * width, width);
                for (int s = Math.Max(0, t - (long)window + 1 < 0 ? 0 : t - window + 1); s <= t; s++)
                {
                    double p = Math.Exp(Dot(query(t, h), key(s, h)) * scale);
                    sum += p;
                    for (int i = 0; i < width; i++) to[i] += p * value(s, h)[i];
                }
                foreach (ref double v in to) v /= sum;
            }
        }
        return all;
    }

    private double[] NormHeads(double[] row, int size, string name)
    {
        double[][] heads = [.. Enumerable.Range(0, row.Length / size).Select(h => row[(h * size)..((h + 1) * size)])];
        return [.. Norm(heads, name, Epsilon).SelectMany(head => head)];
    }

    private double[][] Norm(double[][] rows, string name, double epsilon)
    {
        double[] scale = Vector(name, rows[0].Length);
        return [.. rows.Select(row =>
        {
            double factor = 1 / Math.Sqrt(row.Sum(v => v * v) / row.Length + epsilon);
            return row.Select((v, i) => v * factor * scale[i]).ToArray();
        })];
    }

    private double[][] Linear(string name, double[][] x, int outputs, bool bias)
    {
        double[][] weight = Matrix($"{name}.weight", outputs, x[0].Length);
        double[]? add = bias ? Vector($"{name}.bias", outputs) : null;
        return [.. x.Select(row => Times(weight, row).Select((v, i) => v + (add?[i] ?? 0)).ToArray())];
    }

    private double[][] Matrix(string name, int rows, int columns)
    {
        float[] all = get(name, [rows, columns]);
        return [.. Enumerable.Range(0, rows).Select(r => all.Skip(r * columns).Take(columns).Select(v => (double)v).ToArray())];
    }

    private double[] Vector(string name, int width) => [.. get(name, [width]).Select(v => (double)v)];

    private static double[] Times(double[][] matrix, double[] x) => [.. matrix.Select(row => Dot(row, x))];

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    private static void Add(double[][] x, double[][] y)
    {
        for (int t = 0; t < x.Length; t++)
            for (int i = 0; i < x[t].Length; i++) x[t][i] += y[t][i];
    }

    private JsonObject? Rope => (config["rope_scaling"] ?? config["rope_parameters"]) as JsonObject;

    private int Int(string key, int? fallback = null) => (int?)config[key] ?? fallback ?? throw new KeyNotFoundException(key);

    private double Number(string key, double fallback) => (double?)config[key] ?? fallback;

    private bool Flag(string key, bool fallback = false) => (bool?)config[key] ?? fallback;
}
