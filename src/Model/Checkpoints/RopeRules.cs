namespace Troupe.Model.Checkpoints;

/// <summary>
/// Rotary frequencies from config.json: rope_theta with rope_scaling (older spelling) or rope_parameters (newer one). Known are default,
/// linear, llama3 and yarn; what depends on the length of the text (dynamic, longrope) is refused.
/// <para>All steps are those of the reference in fp32: at long contexts the rounding of a frequency is visible in the logits.</para>
/// </summary>
internal static class RopeRules
{
    private const int MaxContext = 1 << 24;

    /// <summary>The table for heads of which some values turn.</summary>
    public static RopeTable Read(ConfigReader reader, int width, double theta, int maxPositions)
    {
        ConfigReader? scaling = Scaling(reader);
        theta = Theta(reader, theta);
        float[] frequencies = new float[width / 2];
        for (int i = 0; i < frequencies.Length; i++) frequencies[i] = 1f / MathF.Pow((float)theta, 2f * i / width);
        var table = new RopeTable { Width = width, Theta = theta, Frequencies = frequencies, Magnitude = 1, ScoreScale = 1 };
        string type = scaling?.Text("rope_type", "type") ?? "default";
        if (type == "default") return table;
        string key = scaling!.Has("rope_type") ? "rope_type" : "type";
        double original = scaling.Int(1, MaxContext, reader.Int(1, MaxContext, maxPositions, "original_max_position_embeddings"),
            "original_max_position_embeddings");
        table = type switch
        {
            "linear" => table with { Frequencies = Linear(frequencies, (float)Factor(scaling)) },
            "llama3" => table with { Frequencies = Llama3(scaling, frequencies, original) },
            "yarn" => Yarn(scaling, table, original, maxPositions),
            _ => throw scaling.Error(key, $"is {type}; known: default, linear, llama3, yarn"),
        };
        // Factors near to nothing are positive, and what is divided by them is not a number any more.
        if (table.Frequencies.All(float.IsFinite) && float.IsFinite(table.Magnitude) && double.IsFinite(table.ScoreScale)) return table;
        throw scaling.Error(key,
            $"is {type} with factors that make frequencies without end; wanted are factors near to those of published models");
    }

    /// <summary>How much of each head turns: partial_rotary_factor, in either place.</summary>
    public static double Partial(ConfigReader reader, double fallback)
    {
        double outer = reader.Number(0, 1, 0, "partial_rotary_factor");
        double inner = Scaling(reader)?.Number(0, 1, 0, "partial_rotary_factor") ?? 0;
        if (inner != 0 && outer != 0 && inner != outer)
            throw reader.Error("partial_rotary_factor", $"is {outer}, but that of rope_parameters is {inner}; they must agree");
        return inner != 0 ? inner : outer != 0 ? outer : fallback;
    }

    /// <summary>Refuses a part of each head, where the family turns whole ones.</summary>
    public static void RefusePartial(ConfigReader reader)
    {
        if (Partial(reader, 1) != 1)
            throw reader.Error("partial_rotary_factor", "is not 1; heads of this family turn whole");
    }

    // Newer files have both keys only if they say the same.
    private static ConfigReader? Scaling(ConfigReader reader)
    {
        ConfigReader? old = reader.Inner("rope_scaling"), fresh = reader.Inner("rope_parameters");
        if (old is not null && fresh is not null && old.Text("rope_type", "type") != fresh.Text("rope_type", "type"))
            throw reader.Error("rope_scaling", "has another type than rope_parameters; they must agree");
        ConfigReader? scaling = fresh ?? old;
        foreach (string key in (ReadOnlySpan<string>)["mrope_section", "short_factor", "long_factor", "full_attention"])
            if (scaling?.Has(key) == true) throw scaling.Error(key, "is set, which is not supported");
        return scaling;
    }

    private static double Theta(ConfigReader reader, double fallback)
    {
        double Of(ConfigReader? at) => at?.Number(1, 1e12, 0, "rope_theta") ?? 0;
        double inner = Of(Scaling(reader)), outer = Of(reader);
        if (inner != 0 && outer != 0 && inner != outer)
            throw reader.Error("rope_theta", $"is {outer}, but rope_parameters.rope_theta is {inner}; they must agree");
        return inner != 0 ? inner : outer != 0 ? outer : fallback;
    }

    private static double Factor(ConfigReader scaling) => scaling.Has("factor")
        ? scaling.Number(0, 1e6, 1, "factor")
        : throw scaling.Error("factor", "is missing");

    private static float[] Linear(float[] frequencies, float factor) => [.. frequencies.Select(f => f / factor)];

    // Long waves are stretched, short ones stay, and those between are mixed. (Llama 3.1, Meta 2024)
    private static float[] Llama3(ConfigReader scaling, float[] frequencies, double original)
    {
        (double factor, double low) = (Factor(scaling), scaling.Number(0, 1e6, 1, "low_freq_factor"));
        double high = scaling.Number(0, 1e6, 4, "high_freq_factor");
        if (high <= low) throw scaling.Error("high_freq_factor", $"must be more than low_freq_factor = {low}, got {high}");
        return [.. frequencies.Select(f =>
        {
            double wave = 2 * Math.PI / f;
            if (wave < original / high) return f;
            if (wave > original / low) return (float)(f / factor);
            double smooth = (original / wave - low) / (high - low);
            return (float)((1 - smooth) * f / factor + smooth * f);
        })];
    }

    // Fast pairs stay, slow ones are stretched, with a ramp between (Peng et al. 2023); cosines and sines grow with the factor.
    private static RopeTable Yarn(ConfigReader scaling, RopeTable table, double original, int maxPositions)
    {
        double factor = scaling.Has("factor") ? Factor(scaling) : maxPositions / original;
        double fast = scaling.Number(0, 1e6, 32, "beta_fast"), slow = scaling.Number(0, 1e6, 1, "beta_slow");
        double mscale = Number("mscale"), all = Number("mscale_all_dim"), set = Number("attention_factor");
        (double low, double high) = (Dimension(fast), Dimension(slow));
        if (scaling.Bool(true, "truncate")) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (float from, float to) = ((float)Math.Max(low, 0), (float)Math.Min(high, table.Width - 1));
        if (from == to) to += 0.001f;
        float[] frequencies = new float[table.Frequencies.Count];
        for (int i = 0; i < frequencies.Length; i++)
        {
            float kept = 1 - Math.Clamp((i - from) / (to - from), 0, 1), period = MathF.Pow((float)table.Theta, 2f * i / table.Width);
            frequencies[i] = 1f / ((float)factor * period) * (1 - kept) + 1f / period * kept;
        }
        double magnitude = set > 0 ? set : mscale > 0 && all > 0 ? Growth(mscale) / Growth(all) : Growth(1);
        return table with { Frequencies = frequencies, Magnitude = (float)magnitude, ScoreScale = all > 0 ? Growth(all) * Growth(all) : 1 };

        // The pair that turns so often within the original context.
        double Dimension(double turns) => table.Width * Math.Log(original / (turns * 2 * Math.PI)) / (2 * Math.Log(table.Theta));

        double Growth(double scale) => factor <= 1 ? 1 : 0.1 * scale * Math.Log(factor) + 1;

        // As in the reference, 0 counts as absent.
        double Number(string key) => scaling.Number(-1e-9, 1e6, 0, key);
    }
}
