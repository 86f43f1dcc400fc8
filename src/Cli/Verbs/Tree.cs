using System.CommandLine;
using Troupe.Cli.Output;

namespace Troupe.Cli.Verbs;

/// <summary>All verbs, in the order of the help.</summary>
internal static class Tree
{
    /// <summary>The whole command line.</summary>
    public static RootCommand Create(Shell shell)
    {
        var root = new RootCommand("Troupe serves mixture-of-experts language models whose experts are spread over many ranks.");
        root.Directives.Clear();
        root.Add(DemoVerb.Create(shell));
        root.Add(TestVerb.Create(shell));
        root.Add(GenerateVerb.Create(shell));
        root.Add(EvalVerb.Create(shell));
        root.Add(VerifyVerb.Create(shell));
        root.Add(PlanVerb.Create(shell));
        root.Add(UpVerb.Create(shell));
        root.Add(NodeVerb.Create(shell));
        root.Add(SubmitVerb.Create(shell));
        root.Add(CancelVerb.Create(shell));
        root.Add(InspectVerbs.Status(shell));
        root.Add(InspectVerbs.Members(shell));
        root.Add(WatchVerb.Create(shell));
        root.Add(InspectVerbs.Explain(shell));
        root.Add(TraceVerb.Create(shell));
        root.Add(InspectVerbs.Leave(shell));
        root.Add(InspectVerbs.Down(shell));
        root.Add(TokenizeVerb.Create(shell));
        root.Add(BenchVerb.Create(shell));
        root.Add(DevicesVerb.Create(shell));
        return root;
    }
}
