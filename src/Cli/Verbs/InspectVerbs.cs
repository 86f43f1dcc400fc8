using System.CommandLine;
using System.Text.Json;
using Troupe.Actors.Hosting;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;
using Troupe.Cli.Options;
using Troupe.Cli.Output;

namespace Troupe.Cli.Verbs;

/// <summary>
/// The cluster state tooling: status, members, explain, leave, down. Each asks any node and prints what the coordinator answers.
/// </summary>
internal static class InspectVerbs
{
    /// <summary>troupe status.</summary>
    public static Verb Status(Shell shell) =>
        Create(shell, "status", "Shows what a cluster does: ready or what it waits for, ranks, queues, last steps",
        "./troupe status --at 127.0.0.1:4100", Subject.Status, null, json =>
            StatusText.Write(shell, JsonSerializer.Deserialize(json, ReportJson.Default.StatusReport)!));

    /// <summary>troupe members.</summary>
    public static Verb Members(Shell shell) => Create(shell, "members", "Lists the members of a cluster as its gossip sees them",
        "./troupe members --at 127.0.0.1:4100", Subject.Members, null, json => StatusText.Write(shell, Members(json)));

    /// <summary>troupe explain.</summary>
    public static Verb Explain(Shell shell)
    {
        Option<int> step = Opt.Int("--step",
            "The step to explain; 0 is the last one, and what the last steps add up to", 0, int.MaxValue, 0);
        return Create(shell, "explain", "Says why a step used its strategy", "./troupe explain --step 812", Subject.Explain,
            new Asked([step], parsed => parsed.GetValue(step) is > 0 and int n ? $"{n}" : ""), json =>
                StatusText.Write(shell, JsonSerializer.Deserialize(json, ReportJson.Default.ExplainReport)!));
    }

    /// <summary>troupe leave.</summary>
    public static Verb Leave(Shell shell) =>
        Remove(shell, "leave", "Asks a node to leave its cluster; the epoch of a rank that leaves ends", Subject.Leave);

    /// <summary>troupe down.</summary>
    public static Verb Down(Shell shell) =>
        Remove(shell, "down", "Marks a node as down at once, for one that cannot be reached any more", Subject.Down);

    private static Verb Remove(Shell shell, string name, string summary, Subject subject)
    {
        var node = new Argument<string>("NODE") { Description = "The node's address as HOST:PORT, as members shows it" };
        return Create(shell, name, summary, $"./troupe {name} 127.0.0.1:45123", subject,
            new Asked([], parsed => parsed.GetValue(node)!, node),
            json => StatusText.Write(shell, Members(json)));
    }

    private static List<MemberReport> Members(string json) => JsonSerializer.Deserialize(json, ReportJson.Default.ListMemberReport)!;

    private static Verb Create(Shell shell, string name, string summary, string example, Subject subject, Asked? asked,
        Action<string> write)
    {
        Option<string> at = AddressOption.Create();
        var verb = new Verb(name, summary, example);
        if (asked?.Argument is { } argument) verb.Arguments.Add(argument);
        verb.Add(new OwnOptions([at, .. asked?.Options ?? []]));
        return verb.Runs(async (parsed, stop) =>
        {
            await using RemoteClient remote = RemoteClient.Open(parsed.GetValue(at)!);
            string json = await remote.Client.InspectAsync(subject, asked?.Value(parsed) ?? "").WaitAsync(stop);
            if (verb.Output.Json(parsed)) shell.Out.WriteLine(json);
            else write(json);
            return ExitCode.Done;
        });
    }

    private sealed record Asked(Option[] Options, Func<ParseResult, string> Value, Argument? Argument = null);
}
