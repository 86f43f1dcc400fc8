using Troupe.Actors.Client;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Membership;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Troupe.Testing;

namespace Troupe.Actors.Tests.Cluster;

/// <summary>A cluster inside this process, ready for requests.</summary>
internal sealed class InProcessWorld : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    private InProcessWorld(ClusterHandle handle, ClusterClient client) => (Handle, Client) = (handle, client);

    public ClusterHandle Handle { get; }

    public ClusterClient Client { get; }

    public static string SampleModel => Repository.At("models", "sample");

    public static Task<InProcessWorld> StartAsync(string model, int stages, int replicas, string hocon = "", int tensor = 1) =>
        StartAsync(ModelSource.FromFolder(model), stages, replicas, hocon, tensor);

    public static async Task<InProcessWorld> StartAsync(
        ModelSource model, int stages, int replicas, string hocon = "", int tensor = 1)
    {
        TroupeOptions options =
            TroupeOptions.Read(new ConfigLayers(HoconText.Parse("test", hocon))) with { Layout = new Layout(stages, replicas, tensor) };
        var handle = ClusterHandle.Start(
            new LaunchSpec(options, model, LaunchMode.InProcess, "", Console.Error.WriteLine), new Quiet());
        ClusterClient client = handle.Client();
        using var deadline = new CancellationTokenSource(Deadline);
        await client.ReadyAsync(null, deadline.Token);
        return new InProcessWorld(handle, client);
    }

    public async Task<IReadOnlyList<RequestOutcome>> RunAsync(params RequestSpec[] requests)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        return await Client.RunAsync(requests, null, CancellationToken.None).WaitAsync(deadline.Token);
    }

    public ValueTask DisposeAsync() => Handle.DisposeAsync();

    internal static RequestSpec Greedy(string id, IReadOnlyList<int> ids, int tokens) =>
        new(id, null, ids, tokens, new SamplingSpec(0, 0, 1, 0, 1, 0), [], IgnoreEos: true, SequenceMode.Generate);

    private sealed class Quiet : IClusterObserver
    {
        public void Changed(CoordinatorState state)
        {
        }

        public void Warned(string line) => Console.Error.WriteLine(line);

        public void Ended(string? error)
        {
        }
    }
}
