using Troupe.Devices.All2All;

namespace Troupe.Devices.Tests.All2All;

/// <summary>A shape of routing that a strategy must get right.</summary>
/// <param name="Name">What is special about it.</param>
/// <param name="Tokens">Rows of a rank, given (rank, step).</param>
/// <param name="Experts">Experts in the layer (E).</param>
/// <param name="TopK">Experts per token (K).</param>
/// <param name="Hidden">Values in a row (H).</param>
internal sealed record Case(string Name, Func<int, int, int> Tokens, int Experts, int TopK, int Hidden)
{
    public const int MaxTokens = 16;

    public static IReadOnlyList<Case> All { get; } =
    [
        new("plain", (_, _) => 4, 16, 4, 64),
        new("ragged", (rank, step) => (rank * 5 + step * 3) % (MaxTokens + 1), 16, 4, 24),
        new("one token", (_, _) => 1, 16, 8, 128),
        new("some ranks empty", (rank, step) => (rank + step) % 2 == 0 ? 3 : 0, 16, 2, 40),
        new("all ranks empty, now and then", (_, step) => step % 2, 8, 2, 16),
        new("one expert per token", (_, _) => 5, 12, 1, 32),
        new("all experts per token", (_, _) => 3, 6, 6, 32),
        new("experts not divisible by ranks", (rank, _) => rank + 1, 13, 3, 19),
        new("fewer experts than ranks", (rank, _) => rank + 1, 2, 2, 16),
        new("all to one expert", (_, _) => MaxTokens, 9, 1, 48) { OnlyExpert = 7 },
        new("masked slots", (_, _) => 6, 10, 4, 33) { MaskedShare = 0.4 },
        new("copies of experts", (rank, _) => 2 + rank, 10, 4, 33) { Copies = true },
        // Enough for one reader that whole lines are streamed; from rank to rank some have less, and lines that rows share are not.
        new("long rows", (rank, step) => (rank * 5 + step * 3) % (MaxTokens + 1), 8, 2, 1024),
        new("long rows of odd width", (rank, step) => (rank * 7 + step * 3) % (MaxTokens + 1), 8, 2, 1003),
        new("everything masked", (_, _) => 2, 10, 4, 16) { MaskedShare = 1 },
    ];

    /// <summary>The one expert that all tokens choose, or -1.</summary>
    public int OnlyExpert { get; init; } = -1;

    /// <summary>How many slots are masked.</summary>
    public double MaskedShare { get; init; }

    /// <summary>Whether some experts live on several ranks.</summary>
    public bool Copies { get; init; }

    public ExpertPlacement Placement(int ranks) => !Copies ? ExpertPlacement.Blocks(Experts, ranks)
        : new ExpertPlacement([.. Enumerable.Range(0, Experts).Select(e => (int[])(e % 3 == 0 ? [.. Enumerable.Range(0, ranks)]
            : e % 3 == 1 ? [e % ranks, (e + 1) % ranks] : [e % ranks]))], ranks);

    public All2AllShape Shape(RowType rows) => new(MaxTokens, Hidden, TopK, rows);

    /// <summary>Seeded rows of all sizes and both signs, zeros of both signs among them.</summary>
    public Input Make(Random random, int rank, int step)
    {
        int tokens = Tokens(rank, step);
        float[] hidden = [.. Enumerable.Range(0, tokens * Hidden).Select(_ => random.Next(8) switch
        {
            0 => 0f,
            1 => -0f,
            _ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-4, 4))),
        })];
        int[] experts = new int[tokens * TopK];
        float[] weights = new float[tokens * TopK];
        for (int token = 0; token < tokens; token++)
        {
            int[] chosen = OnlyExpert >= 0 ? [OnlyExpert] : [.. Enumerable.Range(0, Experts).OrderBy(_ => random.Next()).Take(TopK)];
            for (int k = 0; k < TopK; k++)
            {
                experts[token * TopK + k] = random.NextDouble() < MaskedShare ? -1 : chosen[k];
                weights[token * TopK + k] = random.NextSingle();
            }
        }
        return new Input(tokens, hidden, experts, weights);
    }
}
