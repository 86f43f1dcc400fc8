using System.Diagnostics;
using System.Text.RegularExpressions;
using Troupe.Cli.Tests.Processes;
using Xunit;

namespace Troupe.Cli.Tests.Bench;

/// <summary>What happens to a running benchmark when a rank of it dies or hangs, or somebody stops it.</summary>
[Collection("processes")]
public sealed class All2AllProcessTests
{
    private const int Ranks = 3;

    [Theory]
    [InlineData("shm")]
    [InlineData("tcp")]
    public async Task A_rank_that_dies_ends_the_bench_with_its_name(string fabric)
    {
        await using Running bench = await Running.StartAsync("--fabric", fabric);
        int victim = bench.Workers[1];
        ProcessWorld.Signal(victim, "KILL");
        string error = await bench.EndAsync();
        Assert.Matches($@"^troupe: rank \d \(process {victim}\) was killed by signal 9", error);
    }

    [Fact]
    public async Task A_rank_that_hangs_ends_the_bench_with_its_name()
    {
        await using Running bench = await Running.StartAsync("--fabric", "shm", "--deadline", "4000");
        ProcessWorld.Signal(bench.Workers[0], "STOP");
        string error = await bench.EndAsync();
        Assert.Matches(@"^troupe: rank \d at epoch 1, .*: rank \d did not answer within 4 s; it was last at epoch 1", error);
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task A_signal_ends_the_bench_and_its_ranks(string signal)
    {
        await using Running bench = await Running.StartAsync("--fabric", "shm");
        ProcessWorld.Signal(bench.Pid, signal);
        Assert.Equal("troupe: stopped", await bench.EndAsync());
    }

    [Fact]
    public async Task Ranks_end_with_a_bench_that_was_killed()
    {
        await using Running bench = await Running.StartAsync("--fabric", "shm");
        int[] workers = bench.Workers;
        ProcessWorld.Signal(bench.Pid, "KILL");
        foreach (int worker in workers)
        {
            using Process? left = Find(worker);
            if (left is not null) await left.WaitForExitAsync().WaitAsync(ProcessWorld.Deadline);
        }
    }

    private static Process? Find(int pid)
    {
        try
        {
            return Process.GetProcessById(pid);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    /// <summary>A bench that has measured something and has much to do.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly Process _process;
        private string _last = "";

        private Running(Process process) => _process = process;

        public int Pid => _process.Id;

        public int[] Workers { get; private set; } = [];

        public static async Task<Running> StartAsync(params string[] options)
        {
            string[] arguments = [typeof(CommandLine).Assembly.Location, "bench", "all2all", "--ranks", $"{Ranks}", "--tokens", "4",
                "--hidden", "256", "--rounds", "1000", "--milliseconds", "50", "-v", .. options];
            Process process = Process.Start(new ProcessStartInfo("dotnet", arguments)
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
                UseShellExecute = false,
            }) ?? throw new InvalidOperationException("dotnet did not start");
            var running = new Running(process);
            try
            {
                await running.BeginAsync();
                return running;
            }
            catch
            {
                await running.DisposeAsync();
                throw;
            }
        }

        /// <summary>Waits until it ended by itself with exit code 1, and its ranks with it; its last error line but a trace.</summary>
        public async Task<string> EndAsync()
        {
            while (await _process.StandardError.ReadLineAsync().WaitAsync(ProcessWorld.Deadline) is { } line)
                if (line.StartsWith("troupe: ", StringComparison.Ordinal)) _last = line;
            await _process.WaitForExitAsync().WaitAsync(ProcessWorld.Deadline);
            Assert.Equal(ExitCode.Failed, _process.ExitCode);
            Assert.Equal("", await _process.StandardOutput.ReadToEndAsync().WaitAsync(ProcessWorld.Deadline));
            Assert.All(Workers, pid => Assert.False(ProcessWorld.Lives(pid), $"rank process {pid} is still there"));
            return _last;
        }

        public async ValueTask DisposeAsync()
        {
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
            _process.Dispose();
        }

        private async Task BeginAsync()
        {
            string? first = await _process.StandardError.ReadLineAsync().WaitAsync(ProcessWorld.Deadline);
            while (first?.StartsWith("troupe: not measured", StringComparison.Ordinal) == true)
                first = await _process.StandardError.ReadLineAsync().WaitAsync(ProcessWorld.Deadline);
            Assert.StartsWith("1/", first, StringComparison.Ordinal);
            Workers = [.. ChildrenOf(_process.Id)];
            Assert.Equal(Ranks, Workers.Length);
        }

        private static IEnumerable<int> ChildrenOf(int parent)
        {
            foreach (string folder in Directory.EnumerateDirectories("/proc").Where(d => Regex.IsMatch(d, @"/\d+$")))
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
    }
}
