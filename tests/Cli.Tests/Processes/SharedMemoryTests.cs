using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Troupe.Cli.Tests.Processes;

/// <summary>The program on a machine whose /dev/shm holds 1 MiB: one that a mount namespace plays.</summary>
[Collection("processes")]
public sealed class SharedMemoryTests
{
    private const string Tiny = "mount -t tmpfs -o size=1m tmpfs /dev/shm";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    [TinySharedMemoryFact]
    public async Task By_default_ranks_without_room_for_their_windows_use_tcp_and_one_line_says_why_and_how_to_get_more()
    {
        using var golden = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(ProcessWorld.SampleModel, "heldout.json")));
        JsonElement first = golden.RootElement.GetProperty("golden")[0];
        int[] greedy = [.. first.GetProperty("greedy").EnumerateArray().Select(id => id.GetInt32())];
        (int code, string output, string error) = await Run("generate", first.GetProperty("prompt").GetString()!, "--replicas", "2",
            "--max-tokens", $"{greedy.Length}", "--temperature", "0", "--ignore-eos", "--json");
        Assert.Equal((ExitCode.Done, error), (code, error));
        using var result = JsonDocument.Parse(output);
        Assert.Equal(greedy, result.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
        string warning = Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Matches(@"^troupe: warning: fabric auto: shm was wanted, but the windows of rank 0, 1 need \d+ MiB of /dev/shm and [01] MiB "
            + @"are free; tcp is used for all ranks; for shm, enlarge /dev/shm \(docker run --shm-size \d+m, compose shm_size\)$", warning);
    }

    [TinySharedMemoryFact]
    public async Task Shared_memory_that_was_asked_for_by_name_is_an_error_where_windows_have_no_room()
    {
        (int code, string output, string error) =
            await Run("generate", "ROMEO.", "--replicas", "2", "--fabric", "shm", "--max-tokens", "4");
        Assert.Equal((ExitCode.Failed, ""), (code, output));
        string line = Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Matches(@"^troupe: .*rank [01].*/dev/shm has [01] MiB free, this rank's window needs \d+ MiB \(all 2 ranks \d+ MiB\): "
            + "use --fabric tcp, or a larger shm_size", line);
    }

    private static async Task<(int Code, string Output, string Error)> Run(params string[] arguments)
    {
        string[] command = ["dotnet", typeof(CommandLine).Assembly.Location, .. arguments, "--model", ProcessWorld.SampleModel];
        using Process process = Start([$"{Tiny} && exec \"$@\"", "sh", .. command]);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(Limit);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, await output, await error);
    }

    private static Process Start(string[] script)
    {
        var start = new ProcessStartInfo("unshare", ["-m", "sh", "-c", .. script])
        {
            RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false,
        };
        return Process.Start(start)!;
    }

    /// <summary>Skipped, with the reason, where such a machine cannot be played.</summary>
    private sealed class TinySharedMemoryFactAttribute : FactAttribute
    {
        private static readonly string? s_problem = Problem();

        public TinySharedMemoryFactAttribute() => Skip = s_problem;

        private static string? Problem()
        {
            try
            {
                using Process process = Start([Tiny]);
                string said = process.StandardError.ReadToEnd();
                process.WaitForExit();
                return process.ExitCode == 0 ? null : $"needs a mount namespace (root, and unshare of util-linux): {said.Trim()}";
            }
            catch (System.ComponentModel.Win32Exception none)
            {
                return $"needs a mount namespace (root, and unshare of util-linux): {none.Message}";
            }
        }
    }
}
