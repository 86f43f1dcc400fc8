using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using Troupe.Actors.Protocols;
using Troupe.Actors.Routing;
using Troupe.Devices.All2All;
using Troupe.Devices.Topology;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Routing;

public sealed class SelectorPropertyTests
{
    [Fact]
    public void No_input_leaves_a_rank_without_a_strategy_that_is_legal_for_the_step()
    {
        Random random = Seed.For(nameof(No_input_leaves_a_rank_without_a_strategy_that_is_legal_for_the_step));
        var replay = Config.QuickThrowOnFailure.WithMaxTest(300)
            .WithReplay((ulong)random.NextInt64(), (ulong)random.NextInt64() | 1);
        Prop.ForAll(Worlds().ToArbitrary(), world => Holds(world)).Check(replay);
    }

    private static bool Holds(World world)
    {
        SelectorRules rules = new(s => (world.Available & (1 << (int)s)) != 0)
        {
            Capacity = world.Capacity, Pinned = world.Pinned, Explore = world.Explore, Seed = 1,
        };
        var selector = new Selector(new CostModel(new LinkTable(world.Links, world.Links, world.Links), world.Cores), rules);
        int warnings = 0;
        for (int step = 0; step < world.Steps.Count; step++)
        {
            StepShape shape = world.Steps[step];
            (selector, Choice choice) = selector.Choose(new StepId(step), (StepKind)(step % 2), shape);
            if (!Enum.IsDefined(choice.Use) || Legality.WhyNot(choice.Use, shape, rules) is not null) return false;
            if (Strategies.NameOf(choice.Use) != choice.Strategy || choice.Reason.Length == 0) return false;
            if (choice.Warning is not null && ++warnings > 1) return false;
            bool obeyed = world.Pinned is null || choice.Use == Strategies.Fallback
                || Strategies.Resolve(world.Pinned).Use == choice.Use || choice.Strategy == world.Pinned;
            if (!obeyed) return false;
            selector = selector.Observe(choice, world.Measured[step % world.Measured.Count]);
        }
        return true;
    }

    private static Gen<World> Worlds() =>
        from steps in Gen.NonEmptyListOf(Shapes())
        from available in Gen.Choose(0, 255)
        from capacity in Gen.Elements(-1, 0, 1, 64, int.MaxValue)
        from pinned in Gen.Elements<string?>(
            [null, null, null, "", "auto", "naive", "xyzzy", "pplx", .. Enum.GetValues<Strategy>().Select(Strategies.NameOf)])
        from explore in Gen.Elements(0, 0.1, 1, -1, double.NaN)
        from cores in Gen.Elements(0, 1, 2, int.MaxValue)
        from cost in Gen.Elements(0, 1e-3, 1, 1e300, -1, double.NaN, double.PositiveInfinity)
        from measured in Gen.NonEmptyListOf(Gen.Elements(0, 1, 1e3, 1e300, -1, double.NaN, double.PositiveInfinity))
        select new World([.. steps], available, capacity, pinned, explore, cores, new LinkConstants(cost, cost, cost, cost, cost),
            [.. measured]);

    private static Gen<StepShape> Shapes() =>
        from ranks in Gen.Choose(0, 6)
        from rows in Gen.ListOf(Gen.Elements(-1, 0, 1, 7, 64, 65, 4096, int.MaxValue))
        from hosts in Gen.ListOf(Gen.Choose(-1, 2))
        from mapping in Gen.Elements(Enum.GetValues<Mapping>())
        from experts in Gen.Elements(-1, 0, 1, 5, 64)
        from topK in Gen.Elements(0, 1, 8, 100)
        from oneHost in Gen.Elements(true, false)
        select new StepShape(ranks, 0, 0, 64, topK, 2, 4)
        {
            Experts = experts, Mapping = mapping, HostOf = [.. hosts], SomeStageOnOneHost = oneHost,
        }.WithRows([.. rows]);

    private sealed record World(
        ImmutableList<StepShape> Steps, int Available, int Capacity, string? Pinned, double Explore, int Cores, LinkConstants Links,
        ImmutableList<double> Measured);
}
