using System.Runtime.ExceptionServices;
using Troupe.Devices.Fabric;
using Troupe.Devices.Topology;

namespace Troupe.Testing;

/// <summary>Runs the ranks of a world as threads of this process, over any fabric.</summary>
public static class Ranks
{
    /// <summary>No test's ranks may take longer than this, all together.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Options for tests: a fixed secret, deadlines long enough for a busy machine.</summary>
    public static FabricOptions Options { get; } =
        new(TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(60), [.. Enumerable.Range(1, FabricOptions.SecretBytes).Select(i => (byte)i)]);

    /// <summary>A session name that no other test uses.</summary>
    public static string NewSession() => $"test-{Guid.NewGuid():N}";

    /// <summary>
    /// Runs <paramref name="body"/> on every rank of a connected fabric. When one rank throws, the others are aborted and its exception is
    /// thrown here.
    /// </summary>
    public static void Run(FabricKind kind, World world, WindowPlan plan, Action<IFabric> body, FabricOptions? options = null)
    {
        var (_, first) = RunAll(kind, world, plan, fabric =>
        {
            try
            {
                body(fabric);
            }
            catch (Exception failed)
            {
                fabric.Abort(fabric.Self, $"failed in a test: {failed.Message}");
                throw;
            }
        }, options);
        if (first is not null) ExceptionDispatchInfo.Throw(first);
    }

    /// <summary>As <see cref="Run"/>, but hands back what each rank threw (null: nothing), in rank order, and aborts nobody.</summary>
    public static IReadOnlyList<Exception?> Outcomes(
        FabricKind kind, World world, WindowPlan plan, Action<IFabric> body, FabricOptions? options = null) =>
        RunAll(kind, world, plan, body, options).Outcomes;

    /// <summary>
    /// On a mixed fabric this machine plays several hosts of two ranks each; two ranks alone are on different hosts, and more than two
    /// reach some peers each way.
    /// </summary>
    private static FabricOptions OptionsFor(FabricKind kind, World world, FabricOptions options) =>
        kind == FabricKind.Mixed && options.Hosts.Count == 0 ? options with { Hosts = PerHost(world.Size == 2 ? 1 : 2) } : options;

    /// <summary>Host names that put so many consecutive ranks on each host.</summary>
    public static IReadOnlyList<string> PerHost(int ranks) => [.. Enumerable.Range(0, 64).Select(rank => $"host{rank / ranks}")];

    private static (Exception?[] Outcomes, Exception? First) RunAll(
        FabricKind kind, World world, WindowPlan plan, Action<IFabric> body, FabricOptions? options)
    {
        var hub = new InProcessHub();
        string session = NewSession();
        string[] descriptors = [.. world.Ranks.Select(_ => "")];
        var outcomes = new Exception?[world.Size];
        Exception? first = null;
        var opened = new CountdownEvent(world.Size);
        var connected = new CountdownEvent(world.Size); // an abort of a quick rank must not hit a slow one's set-up
        Thread[] threads =
        [
            .. world.Ranks.Select(rank => new Thread(() =>
            {
                var toCount = new Queue<CountdownEvent>([opened, connected]);
                try
                {
                    var setup = new FabricSetup(world, rank, new Epoch(1), plan, OptionsFor(kind, world, options ?? Options), session);
                    using var endpoint = Fabrics.Open(kind, setup, hub);
                    descriptors[rank.Value] = endpoint.Descriptor;
                    toCount.Dequeue().Signal();
                    opened.Wait(Limit);
                    using var fabric = endpoint.Connect(descriptors);
                    toCount.Dequeue().Signal();
                    connected.Wait(Limit);
                    body(fabric);
                }
                catch (Exception failed)
                {
                    outcomes[rank.Value] = failed;
                    Interlocked.CompareExchange(ref first, failed, null);
                }
                finally
                {
                    foreach (var left in toCount) left.Signal();
                }
            })
            {
                IsBackground = true,
                Name = rank.ToString(),
            }),
        ];
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads)
            if (!thread.Join(Limit)) throw new TimeoutException($"{thread.Name} of {world.Size} ranks did not end within {Limit}");
        return (outcomes, first);
    }
}
