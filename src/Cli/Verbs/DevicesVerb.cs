using System.Runtime.InteropServices;
using System.Text.Json;
using Troupe.Cli.Measures;
using Troupe.Cli.Options;
using Troupe.Cli.Output;

namespace Troupe.Cli.Verbs;

/// <summary>troupe devices: what this machine offers.</summary>
internal static class DevicesVerb
{
    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var verb = new Verb("devices", "Shows what this machine offers: vector units, fabrics, strategies", "./troupe devices")
        {
            Details = "Each fabric is tried: two ranks of this process connect over it and measure what a message costs. "
                + "TROUPE_AMX=0 in the environment keeps --math fast from the AMX tiles.",
        };
        return verb.Runs((parsed, _) => Task.FromResult(Run(shell, verb.Output.Json(parsed))));
    }

    private static int Run(Shell shell, bool json)
    {
        DevicesResult found = DeviceProbe.Look(shell.Clock);
        if (json)
        {
            shell.Out.WriteLine(JsonSerializer.Serialize(found, CliJson.Default.DevicesResult));
            return ExitCode.Done;
        }
        shell.Out.WriteLine($"{found.Cores} cores, {found.MemoryBytes / (1 << 20)} MiB memory, {found.Architecture}, "
            + $"{RuntimeInformation.FrameworkDescription}");
        shell.Out.WriteLine($"kernels compute with {found.Simd.VectorBits}-bit vectors (this machine has "
            + $"{string.Join(", ", found.Simd.Features)})");
        shell.Out.WriteLine($"bf16 products of --math fast: {found.Bf16Products}");
        shell.Out.WriteLine($"oneDNN: {found.Onednn.Detail}");
        shell.Out.WriteLine();
        Table("fabric", found.Fabrics).WriteTo(shell);
        shell.Out.WriteLine();
        Table("strategy", found.Strategies).WriteTo(shell);
        return ExitCode.Done;
    }

    private static Grid Table(string what, IReadOnlyList<AvailabilityResult> rows)
    {
        var grid = new Grid(what, "usable", "detail");
        foreach (AvailabilityResult row in rows) grid.Row(row.Name, row.Available ? "yes" : "no", row.Detail);
        return grid;
    }
}
