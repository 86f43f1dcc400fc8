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
internal sealed record All2AllPlan(IReadOnlyList<All2AllWork> Works, IReadOnlyList<All2AllSkipped> Skipped, string? Plot);

/// <summary>Options for <see cref="All2AllPlan"/>.</summary>
internal sealed class All2AllOptions : IOptions
{
    private const string All = "all", Ten = "ten", Auto = "auto";
    private const int MostRanks = 64, MostHidden = 1 << 16, MostExperts = 4096, Iterations = 2000, DeadlineMs = 30_000;
    private const long MostValues = 1L << 30;

    private readonly Option<string> _set = Opt.Choice("--set", "A named set of ranks and shapes, in place of the next five", "none",
        ["none", Ten]);
    private readonly Option<string> _ranks = Opt.Text("--ranks", "N,N,...", "Ranks", "2");
    private readonly Option<string> _tokens = Opt.Text("--tokens", "N,N,...", "Tokens of each rank", "1,8,32");
    private readonly Option<int> _hidden = Opt.Int("--hidden", "Values in a row", 1, MostHidden, 2048);
    private readonly Option<int> _experts = Opt.Int("--experts", "Experts", 1, MostExperts, 64);
    private readonly Option<int> _topK = Opt.Int("--top-k", "Experts per token", 1, MostExperts, 8);
    private readonly Option<string> _rows = Opt.Text("--rows", "TYPE,...", "Types of rows on the fabric: fp32, bf16, int8, fp8", "bf16");
    private readonly Option<string> _fabric = Opt.Text("--fabric", "NAME,...", "auto, inprocess, shm, tcp, mixed; auto is shm", Auto);
    private readonly Option<int> _hosts = Opt.Int("--hosts", "Hosts that this machine plays, for hierarchical and mixed", 1, MostRanks, 1);
    private readonly Option<string> _strategies = Opt.Text("--strategies", "all|NAME,...",
        "What to measure; `troupe devices` lists the names", All);
    private readonly Option<string> _zipf = Opt.Text("--zipf", "N,...", "Popularity of experts: 0 is uniform, 1 and 2 are exponents", "0");
    private readonly Option<ulong> _seed = Opt.Seed("--seed", "Seed of routing and payload");
    private readonly Option<int> _rounds = Opt.Int("--rounds", "How often all is measured, in turn", 1, 1000, 3);
    private readonly Option<int> _budget = Opt.Int("--budget", "Milliseconds of a loop; it has at most 2000 iterations", 1, 100_000, 300);
    private readonly Option<string?> _plot = Opt.OptionalText("--plot", "FILE.svg", "Draws latency against tokens");
    private readonly Option<bool> _worker = Hide(Opt.Switch("--worker", "Measures one rank as stdin says"));
    private readonly Option<string> _corrupt = Hide(Opt.Choice("--corrupt", "Makes something wrong, which must be found", "none",
        ["none", "row", "sum"]));
    private readonly Option<int> _deadline = Hide(Opt.Int("--deadline", "Milliseconds a rank waits for another", 1, 1_000_000, DeadlineMs));

    /// <inheritdoc/>
    public OptionGroup Group => field ??= new OptionGroup("What to measure",
        [_set, _ranks, _tokens, _hidden, _experts, _topK, _rows, _fabric, _hosts, _strategies, _zipf, _seed, _rounds, _budget, _plot]);

    /// <summary>Options that are no user's business.</summary>
    public IEnumerable<Option> Hidden => [_worker, _corrupt, _deadline];

    /// <summary>Whether this process is a rank of another one's benchmark.</summary>
    public bool IsWorker(ParseResult parsed) => parsed.GetValue(_worker);

    /// <summary>What was asked for.</summary>
    /// <exception cref="UsageException">Some of it cannot be.</exception>
    public All2AllPlan Read(ParseResult parsed)
    {
        int[] ranks = parsed.GetValue(_set) == Ten ? [2, 4] : Numbers(_ranks, parsed, 1, MostRanks);
        All2AllCase[] cases = parsed.GetValue(_set) == Ten ? TenShapes(Rows(parsed), Zipfs(parsed)) : Cases(parsed);
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
                                 select new All2AllSkipped(Fabrics.NameOf(fabric), r, shape.Tokens, shape.Hidden,
                                     RowTypes.NameOf(shape.Rows), Strategies.NameOf(strategy), why));
                if (!cases.Any(c => c.Legal(legal).Any())) continue;
                works.Add(new All2AllWork(r, fabric, cases, legal, parsed.GetValue(_seed), parsed.GetValue(_rounds),
                    parsed.GetValue(_budget), Iterations, parsed.GetValue(_deadline), $"{session}-{works.Count}", secret)
                {
                    Hosts = hosts,
                    Corruption = Enum.Parse<Corruption>(parsed.GetValue(_corrupt)!, ignoreCase: true),
                });
            }
        }
        if (works.Count == 0) throw new UsageException($"nothing to measure: {skipped[0].Strategy}: {skipped[0].Reason}");
        return new All2AllPlan(works, skipped, parsed.GetValue(_plot));
    }

    private static All2AllCase[] TenShapes(RowType[] rows, int[] zipfs) =>
    [
        .. from type in rows
           from zipf in zipfs
           from shape in ((int Tokens, int Hidden, int Experts)[])
               [(1, 2048, 64), (8, 2048, 64), (32, 2048, 64), (128, 7168, 256), (1024, 2048, 64)]
           select new All2AllCase(shape.Tokens, shape.Hidden, shape.Experts, 8, type, zipf),
    ];

    private static string? Problem(All2AllCase shape, int ranks) =>
        shape.TopK > shape.Experts ? $"--top-k {shape.TopK}: there are only {shape.Experts} experts; use a smaller --top-k"
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

    private All2AllCase[] Cases(ParseResult parsed) =>
    [
        .. from type in Rows(parsed)
           from zipf in Zipfs(parsed)
           from tokens in Numbers(_tokens, parsed, 1, All2AllShape.MostTokens)
           select new All2AllCase(tokens, parsed.GetValue(_hidden), parsed.GetValue(_experts), parsed.GetValue(_topK), type, zipf),
    ];

    private int[] Zipfs(ParseResult parsed) => Numbers(_zipf, parsed, 0, 2);

    private RowType[] Rows(ParseResult parsed) => [.. Words(_rows, parsed).Select(word =>
    {
        foreach (RowType type in Enum.GetValues<RowType>())
            if (RowTypes.NameOf(type) == word) return type;
        IEnumerable<string> known = Enum.GetValues<RowType>().Select(RowTypes.NameOf);
        throw new UsageException($"--rows must be some of {string.Join(", ", known)}, got '{word}'");
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
