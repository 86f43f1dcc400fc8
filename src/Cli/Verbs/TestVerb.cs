using System.CommandLine;
using Troupe.Cli.Options;
using Troupe.Cli.Output;

namespace Troupe.Cli.Verbs;

/// <summary>troupe test: for the help only, since ./troupe itself builds and runs the tests before it starts this program.</summary>
internal static class TestVerb
{
    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var filter = new Argument<string[]>("FILTER") { Description = "Part of a test's full name; several mean any of them",
            Arity = ArgumentArity.ZeroOrMore };
        var verb = new Verb("test", "Builds and runs all tests", "./troupe test Configuration")
        {
            Details = "The script ./troupe does this, from a checkout; its last line is `N passed, N failed, N skipped`. "
                + "With --fuzz it runs only what reads damaged files: ./troupe test --fuzz 5000000 --seed 7",
        };
        verb.Arguments.Add(filter);
        verb.Options.Add(new Option<long?>("--fuzz")
        {
            HelpName = "CASES",
            Description = "Runs the fuzz tests only, with so many cases in all (a run of all tests has 100000)",
        });
        verb.Options.Add(new Option<int?>("--seed")
        {
            HelpName = "N",
            Description = "The seed of all tests that draw; default a fixed one",
        });
        return verb.Runs((_, _) =>
        {
            shell.Error.WriteLine("troupe: tests are run by the script of a checkout: ./troupe test");
            return Task.FromResult(ExitCode.WrongUsage);
        });
    }
}
