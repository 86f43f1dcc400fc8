using System.CommandLine;
using System.Globalization;
using Troupe.Cli.Measures;
using Troupe.Cli.Output;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;

namespace Troupe.Cli.Options;

/// <summary>What bench all2all is to measure.</summary>
/// <param name="Works">One world each.</param>
/// <param name="Skipped">What was asked for and cannot be measured.</param>
/// <param name="Plot">Where the plot goes.</param>
internal sealed record All2AllPlan(IReadOnlyList<All2AllWork> Works, IReadOnlyList<All2AllSkipped> Skipped, string? Plot)
{
    /// <summary>How often all is measured.</summary>
    public int Rounds => Works[0].Rounds;

    /// <summary>The most iterations of a loop.</summary>
    public int Iterations => Works[0].Iterations;

    /// <summary>When a loop ends, whatever its iterations.</summary>
    public int Milliseconds => Works[0].BudgetMs;
}

/// <summary>What is not measured, and why.</summary>
internal sealed record All2AllSkipped(string Strategy, string Fabric, int Ranks, All2AllCase Shape, string Reason);

/// <summary>Options for <see cref="All2AllPlan"/>.</summary>
internal sealed class All2AllOptions : IOptions
{
    private const string All = "all", Auto = "auto", Uniform = "uniform";
    private const string Even = "even", OneSided = "one-sided";
    private const int MostRanks = 64, MostHidden = 1 << 16, MostExperts = 4096, Iterations = 2000, DeadlineMs = 30_000;
    private const long MostValues = 1L << 30;

    // What the peers are measured with too: small decode steps, a large model's, and a prompt.
    private static readonly int[] s_standardRanks = [2, 4];
    private static readonly (int Tokens, int Hidden, int Experts)[] s_standard =
        [(1, 2048, 64), (8, 2048, 64), (32, 2048, 64), (128, 7168, 256), (1024, 2048, 64)];

    private readonly Option<string> _ranks = Opt.Text("--ranks", "N,N,...", "Ranks; 2,4 for the standard set", "2");
    private readonly Option<string> _tokens = Opt.Text("--tokens", "N,N,...", "Tokens of each rank", "1,8,32");
    private readonly Option<int> _hidden = Opt.Int("--hidden", "Values in a row", 1, MostHidden, 2048);
    private readonly Option<int> _experts = Opt.Int("--experts", "Experts", 1, MostExperts, 64);
    private readonly Option<int> _topK = Opt.Int("--topk", "Experts per token", 1, MostExperts, 8);
    private readonly Option<string> _rows = Opt.Text("--rows", "TYPE,...", "Types of rows on the fabric: fp32, bf16, int8, fp8", "bf16");
    private readonly Option<string> _fabric = Opt.Text("--fabric", "NAME,...", "auto, inprocess, shm, tcp, mixed; auto is shm", Auto);
    private readonly Option<int> _hosts = Opt.Int("--hosts", "Hosts that this machine plays, for hierarchical and mixed", 1, MostRanks, 1);
    private readonly Option<string> _strategies = Opt.Text("--strategies", "all|NAME,...",
        "What to measure; `troupe devices` lists the names", All);
    private readonly Option<string> _routing = Opt.Text("--routing", "NAME,...",
        "Popularity of experts: uniform, zipf1, zipf2 (the exponent)", Uniform);
    private readonly Option<string> _balance = Opt.Text("--balance", "NAME,...", "even, or one-sided: only the first rank has tokens",
        Even);
    private readonly Option<ulong> _seed = Opt.Seed("--seed", "Seed of routing and payload");
    private readonly Option<int> _rounds = Opt.Int("--rounds", "How often all is measured, in turn", 1, 1000, 3);
    private readonly Option<int> _milliseconds = Opt.Int("--milliseconds", "When a loop ends; it has at most 2000 iterations", 1, 100_000,
        200);
    private readonly Option<string?> _plot = Opt.OptionalText("--plot", "FILE.svg", "Draws latency against tokens");
    private readonly Option<bool> _worker = Hide(Opt.Switch("--worker", "Measures one rank as stdin says"));
    private readonly Option<string> _corrupt = Hide(Opt.Choice("--corrupt", "Makes something wrong, which must be found", "none",
        ["none", "row", "sum"]));
    private readonly Option<int> _deadline = Hide(Opt.Int("--deadline", "Milliseconds a rank waits for another", 1, 1_000_000, DeadlineMs));

    /// <inheritdoc/>
    public OptionGroup Group => field ??= new OptionGroup("What to measure",
        [
            _ranks, _tokens, _hidden, _experts, _topK, _routing, _balance, _rows, _fabric, _hosts, _strategies, _seed, _rounds,
            _milliseconds, _plot,
        ]);

    /// <summary>Options that are no user's business.</summary>
    public IEnumerable<Option> Hidden => [_worker, _corrupt, _deadline];

    /// <summary>Whether this process is a rank of another one's benchmark.</summary>
    public bool IsWorker(ParseResult parsed) => parsed.GetValue(_worker);

    /// <summary>What was asked for.</summary>
    /// <exception cref="UsageException">Some of it cannot be.</exception>
    public All2AllPlan Read(ParseResult parsed)
    {
        bool standard = !((Option[])[_tokens, _hidden, _experts, _topK]).Any(o => IsGiven(parsed, o));
        int[] ranks = standard && !IsGiven(parsed, _ranks) ? s_standardRanks : Numbers(_ranks, parsed, 1, MostRanks);
        All2AllCase[] cases = [.. Cases(parsed, standard ? s_standard
            : [.. from tokens in Numbers(_tokens, parsed, 1, All2AllShape.MostTokens)
                  select (tokens, parsed.GetValue(_hidden), parsed.GetValue(_experts))])];
        foreach (All2AllCase shape in cases)
            if (Problem(shape, ranks.Max()) is { } problem) throw new UsageException(problem);
        var works = new List<All2AllWork>();
        var skipped = new List<All2AllSkipped>();
        string session = $"bench-{Guid.NewGuid():N}";
        byte[] secret = Fabrics.NewSecret();
        foreach (FabricKind fabric in Kinds(parsed))
        {
            foreach (int r in ranks)
            {
                int hosts = Math.Min(r, parsed.GetValue(_hosts));
                var traits = new GroupTraits(r, IsMapped(fabric, hosts), hosts);
                Strategy[] asked = Asked(parsed);
                Strategy[] legal = [.. asked.Where(s => Strategies.Problem(s, traits) is null)];
                skipped.AddRange(from shape in cases
                                 from strategy in asked
                                 let why = Strategies.Problem(strategy, traits) ?? OverCapacity(shape, strategy)
                                 where why is not null
                                 select new All2AllSkipped(Strategies.NameOf(strategy), Fabrics.NameOf(fabric), r, shape, why));
                if (!cases.Any(c => c.Legal(legal).Any())) continue;
                works.Add(new All2AllWork(r, fabric, cases, legal, parsed.GetValue(_seed), parsed.GetValue(_rounds),
                    parsed.GetValue(_milliseconds), Iterations, parsed.GetValue(_deadline), $"{session}-{works.Count}", secret)
                {
                    Hosts = hosts,
                    Corruption = Enum.Parse<Corruption>(parsed.GetValue(_corrupt)!, ignoreCase: true),
                });
            }
        }
        if (works.Count == 0) throw new UsageException($"nothing to measure: {skipped[0].Strategy}: {skipped[0].Reason}");
        return new All2AllPlan(works, skipped, parsed.GetValue(_plot));
    }

    private static string? Problem(All2AllCase shape, int ranks) =>
        shape.TopK > shape.Experts ? $"--topk {shape.TopK}: there are only {shape.Experts} experts; use a smaller --topk"
        : shape.Shape.Problem() is { } problem ? $"{shape}: {problem}"
        : (long)ranks * shape.Tokens * shape.Hidden > MostValues
            ? $"{ranks} ranks x {shape.Tokens} tokens x {shape.Hidden} values are more than {MostValues}: use fewer --tokens"
        : null;

    private static string? OverCapacity(All2AllCase shape, Strategy strategy) =>
        shape.Tokens <= Strategies.Capacity(strategy, shape.Shape) ? null
        : $"it has room for {Strategies.Capacity(strategy, shape.Shape)} rows a rank";

    private static bool IsMapped(FabricKind fabric, int hosts) =>
        fabric is FabricKind.InProcess or FabricKind.SharedMemory || (fabric == FabricKind.Mixed && hosts == 1);

    private static Option<T> Hide<T>(Option<T> option)
    {
        option.Hidden = true;
        return option;
    }

    private static int[] Numbers(Option<string> option, ParseResult parsed, int min, int max) => [.. Words(option, parsed).Select(word =>
        int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max ? value
        : throw new UsageException($"{option.Name} must be whole numbers in [{min}, {max}] with commas between them, got '{word}'"))];

    private static IEnumerable<string> Words(Option<string> option, ParseResult parsed) =>
        parsed.GetValue(option)!.Split(',', StringSplitOptions.TrimEntries).Distinct(StringComparer.Ordinal);

    private IEnumerable<All2AllCase> Cases(ParseResult parsed, IReadOnlyList<(int Tokens, int Hidden, int Experts)> sizes) =>
        from type in Named(_rows, parsed, Enum.GetValues<RowType>(), RowTypes.NameOf)
        from zipf in Named(_routing, parsed, [0, 1, 2], z => z == 0 ? Uniform : $"zipf{z}")
        from oneSided in Named(_balance, parsed, [false, true], side => side ? OneSided : Even)
        from size in sizes
        select new All2AllCase(size.Tokens, size.Hidden, size.Experts, parsed.GetValue(_topK), type, zipf, oneSided);

    private static bool IsGiven(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    private static T[] Named<T>(Option<string> option, ParseResult parsed, T[] all, Func<T, string> name) =>
        [.. Words(option, parsed).Select(word =>
        {
            int at = Array.FindIndex(all, value => name(value) == word);
            return at >= 0 ? all[at]
                : throw new UsageException($"{option.Name} must be some of {string.Join(", ", all.Select(name))}, got '{word}'");
        })];

    private FabricKind[] Kinds(ParseResult parsed) => [.. Words(_fabric, parsed).Select(word =>
    {
        try
        {
            return Fabrics.Parse(word, FabricKind.SharedMemory);
        }
        catch (ArgumentException)
        {
            throw new UsageException($"--fabric: unknown fabric '{word}'; known are {Fabrics.Names}");
        }
    })];

    private Strategy[] Asked(ParseResult parsed) => parsed.GetValue(_strategies) == All ? [.. Strategies.Available]
        : [.. Words(_strategies, parsed).Select(word => Strategies.Resolve(word) is { Warning: null } resolved ? resolved.Use
            : throw new UsageException($"--strategies: {Strategies.Resolve(word).Warning}"))];
}
