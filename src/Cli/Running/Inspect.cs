using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Protocols;
using Troupe.Actors.Reports;

namespace Troupe.Cli.Running;

/// <summary>The state tooling's answers as values.</summary>
internal static class Inspect
{
    /// <summary>Who is up, and what the last steps did.</summary>
    public static async Task<StatusReport> StatusAsync(this ClusterClient client) =>
        JsonSerializer.Deserialize(await client.InspectAsync(Subject.Status, ""), ReportJson.Default.StatusReport)!;

    /// <summary>The members.</summary>
    public static async Task<List<MemberReport>> MembersAsync(this ClusterClient client) =>
        JsonSerializer.Deserialize(await client.InspectAsync(Subject.Members, ""), ReportJson.Default.ListMemberReport)!;

    /// <summary>Routing choices, by rank.</summary>
    public static async Task<List<ExpertLoadReport>> ExpertLoadAsync(this ClusterClient client) =>
        JsonSerializer.Deserialize(await client.InspectAsync(Subject.ExpertLoad, ""), ReportJson.Default.ListExpertLoadReport)!;
}
