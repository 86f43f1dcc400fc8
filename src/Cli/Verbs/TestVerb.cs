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
            Details = "The script ./troupe does this, from a checkout; its last line is `N passed, N failed, N skipped`.",
        };
        verb.Arguments.Add(filter);
        return verb.Runs((_, _) =>
        {
            shell.Error.WriteLine("troupe: tests are run by the script of a checkout: ./troupe test");
            return Task.FromResult(ExitCode.WrongUsage);
        });
    }
}
