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

    [Theory]
    [InlineData("shm")]
    [InlineData("tcp")]
    public async Task A_program_killed_in_a_step_with_one_of_its_ranks_takes_the_other_along_and_hinders_no_next_one(string fabric)
    {
        string[] arguments = [Program, "generate", "ROMEO.", "--model", s_sample, "--replicas", "2", "--fabric", fabric, "--ignore-eos"];
        using (Process process = Start("dotnet", [.. arguments, "--max-tokens", "2000"]))
        {
            Assert.Equal(1, await process.StandardOutput.ReadAsync(new char[1], 0, 1).WaitAsync(Limit));
            int[] ranks = [.. ChildrenOf(process.Id)];
            Assert.Equal(2, ranks.Length);
            // Nobody is left to tell the other rank or to clean up: its lifeline ends, and so does its peer on the fabric.
            using (Process kill = Start("kill", "-KILL", $"{process.Id}", $"{ranks[0]}")) await EndAsync(kill);
            await EndAsync(process);
            await GoneAsync(ranks[1]);
        }
        using Process next = Start("dotnet", [.. arguments, "--max-tokens", "4"]);
        Task<string> output = next.StandardOutput.ReadToEndAsync(), error = next.StandardError.ReadToEndAsync();
        await EndAsync(next);
        Assert.Equal((ExitCode.Done, ""), (next.ExitCode, await error));
        Assert.NotEqual("", await output);
    }

    /// <summary>Waits for a process that is not a child of ours; one that only waits to be reaped is gone.</summary>
    private static async Task GoneAsync(int pid)
    {
        using var limit = new CancellationTokenSource(Limit);
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (Stat(pid) is [var state, ..] && state != "Z") await look.WaitForNextTickAsync(limit.Token);
    }

    private static string Program { get; } = typeof(CommandLine).Assembly.Location;

    private static IEnumerable<int> ChildrenOf(int parent)
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc").Where(d => int.TryParse(Path.GetFileName(d), out _)))
        {
            if (Stat(int.Parse(Path.GetFileName(folder))) is [_, var its, ..] && int.Parse(its) == parent)
                yield return int.Parse(Path.GetFileName(folder));
        }
    }

    /// <summary>What the kernel says of a process from its state on; nothing where there is none.</summary>
    private static string[] Stat(int pid)
    {
        try
        {
            // pid (name) state parent ...: the name may hold blanks and parentheses.
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return []; // it has ended, or did while we looked
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
