using System.Diagnostics;
using System.Text.Json;
using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Membership;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Troupe.Testing;

namespace Troupe.Cli.Tests.Processes;

/// <summary>A cluster of real processes: the control node here, each rank a child of this one.</summary>
internal sealed class ProcessWorld : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);
    private readonly List<string> _log;

    private ProcessWorld(ClusterHandle handle, ClusterClient client, List<string> log) => (Handle, Client, _log) = (handle, client, log);

    public ClusterHandle Handle { get; }

    public ClusterClient Client { get; }

    public IReadOnlyList<int> Pids => Handle.RankPids;

    public static string SampleModel => Repository.At("models", "sample");

    public static async Task<ProcessWorld> StartAsync(int stages, int replicas, string hocon = "", string? model = null,
        int tensor = 1)
    {
        TroupeOptions options =
            TroupeOptions.Read(new ConfigLayers(HoconText.Parse("test", hocon))) with { Layout = new Layout(stages, replicas, tensor) };
        var log = new List<string>();
        ClusterHandle handle =
            ClusterHandle.Start(new LaunchSpec(options, ModelSource.FromFolder(model ?? SampleModel), LaunchMode.Processes,
            typeof(CommandLine).Assembly.Location, line => { lock (log) log.Add(line); }), new Quiet(log));
        ClusterClient client = handle.Client();
        using var deadline = new CancellationTokenSource(Deadline);
        Task ready = client.ReadyAsync(null, deadline.Token);
        if (await Task.WhenAny(ready, handle.Ended) != ready)
            throw new InvalidOperationException($"{await handle.Ended}\n{string.Join('\n', log)}");
        await ready;
        return new ProcessWorld(handle, client, log);
    }

    public async Task<IReadOnlyList<RequestOutcome>> RunAsync(IReadOnlyList<RequestSpec> requests, Action<RequestOutcome,
        string>? on = null)
    {
        var tokens = new System.Collections.Concurrent.ConcurrentDictionary<string, int>();
        try
        {
            return await Client.RunAsync(requests, (outcome, text) =>
            {
                tokens[outcome.Request.Id] = outcome.Ids.Count;
                on?.Invoke(outcome, text);
            }, CancellationToken.None).WaitAsync(Deadline);
        }
        catch (TimeoutException late)
        {
            string status = await Client.InspectAsync(Subject.Status, "");
            throw new TimeoutException(
                $"no end within {Deadline}; tokens {string.Join(", ", tokens)}\n{status}\n{string.Join('\n', _log)}", late);
        }
    }

    public ValueTask DisposeAsync() => Handle.DisposeAsync();

    public static RequestSpec Greedy(string id, IReadOnlyList<int> ids, int tokens) =>
        new(id, null, ids, tokens, new SamplingSpec(0, 0, 1, 0, 1, 0), [], IgnoreEos: true, SequenceMode.Generate);

    /// <summary>The golden prompts of the sample and how the reference continues them.</summary>
    public static IReadOnlyList<(int[] Ids, int[] Greedy)> Goldens()
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(SampleModel, "heldout.json")));
        return [.. golden.RootElement.GetProperty("golden").EnumerateArray().Select(g => (Ints(g, "ids"), Ints(g, "greedy")))];
    }

    public static bool Lives(int pid)
    {
        try
        {
            return !Process.GetProcessById(pid).HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    public static void Signal(int pid, string signal)
    {
        using Process kill = Process.Start("kill", [$"-{signal}", $"{pid}"]);
        kill.WaitForExit();
    }

    /// <summary>Our files in shared memory that somebody of this test left behind.</summary>
    public static IReadOnlyList<string> SharedMemory() => Directory.Exists("/dev/shm") ? Directory.GetFiles("/dev/shm", "troupe-*") : [];

    private static int[] Ints(JsonElement element, string name) =>
        [.. element.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];

    private sealed class Quiet(List<string> log) : IClusterObserver
    {
        public void Changed(CoordinatorState state)
        {
        }

        public void Warned(string line)
        {
            lock (log) log.Add(line);
        }

        public void Ended(string? error)
        {
        }
    }
}
