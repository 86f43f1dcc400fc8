using System.Diagnostics;
using System.Text;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Processes;

/// <summary>What only the program as a process of its own shows: its streams, its signals.</summary>
[Collection("processes")]
public sealed class ProgramTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private static readonly string s_sample = Repository.At("models", "sample");

    [Fact]
    public async Task A_full_disk_ends_a_run_with_one_line()
    {
        string command = $"exec dotnet '{Program}' generate ROMEO. --model '{s_sample}' --max-tokens 4 > /dev/full";
        using Process process = Start("/bin/sh", "-c", command);
        string error = await process.StandardError.ReadToEndAsync().WaitAsync(Limit);
        await EndAsync(process);
        Assert.Equal(ExitCode.Failed, process.ExitCode);
        Assert.Equal("troupe: the disk is full: No space left on device; free some space where the output goes", error.TrimEnd());
    }

    [Fact]
    public async Task SIGTERM_cancels_the_request_and_leaves_no_rank_behind()
    {
        using Process process = Start("dotnet", Program, "generate", "ROMEO.", "--model", s_sample, "--replicas", "2",
            "--max-tokens", "2000", "--ignore-eos");
        // The first character says that the request runs.
        Assert.Equal(1, await process.StandardOutput.ReadAsync(new char[1], 0, 1).WaitAsync(Limit));
        int[] ranks = [.. ChildrenOf(process.Id)];
        Assert.Equal(2, ranks.Length);
        Task<string> rest = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        using (Process kill = Start("kill", "-TERM", $"{process.Id}")) await EndAsync(kill);
        await EndAsync(process);
        await rest.WaitAsync(Limit);
        Assert.Equal((ExitCode.Failed, "troupe: the prompt: cancelled"), (process.ExitCode, (await error.WaitAsync(Limit)).TrimEnd()));
        Assert.All(ranks, pid => Assert.False(Directory.Exists($"/proc/{pid}"), $"rank process {pid} is still there"));
    }

    private static string Program { get; } = typeof(CommandLine).Assembly.Location;

    private static IEnumerable<int> ChildrenOf(int parent)
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc").Where(d => int.TryParse(Path.GetFileName(d), out _)))
        {
            string stat;
            try
            {
                stat = File.ReadAllText(Path.Combine(folder, "stat"));
            }
            catch (IOException)
            {
                continue; // It ended while we looked.
            }
            // pid (name) state parent ...: the name may hold blanks and parentheses.
            string[] after = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            if (int.Parse(after[1]) == parent) yield return int.Parse(Path.GetFileName(folder));
        }
    }

    private static Process Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            StandardOutputEncoding = Encoding.UTF8,
        };
        return Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start");
    }

    private static async Task EndAsync(Process process)
    {
        using var limit = new CancellationTokenSource(Limit);
        await process.WaitForExitAsync(limit.Token);
    }
}
