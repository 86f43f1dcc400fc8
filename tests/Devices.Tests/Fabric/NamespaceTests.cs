using System.Diagnostics;
using System.Runtime.InteropServices;
using Troupe.Devices.Collectives;
using Troupe.Devices.Fabric;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Fabric;

/// <summary>Two hosts as far as the network goes: namespaces of their own, joined by a cable that the kernel plays.</summary>
public sealed class NamespaceTests
{
    [TwoNamespacesFact]
    public void A_world_runs_on_two_hosts_that_reach_each_other_through_a_cable_only()
    {
        using var hosts = new TwoHosts();
        const int ranks = 4, values = 5000;
        var world = Worlds.Of(ranks);
        var plan = new WindowPlan();
        var reserved = CommunicatorPlan.Reserve(plan, new CommunicatorShape(ranks) { CollectiveBytes = values * sizeof(float) });
        string session = Ranks.NewSession();
        string[] descriptors = new string[ranks];
        var sums = new float[ranks][];
        var outcomes = new Exception?[ranks];
        using var opened = new Barrier(ranks);
        Thread[] threads = [.. world.Ranks.Select(rank => new Thread(() =>
        {
            try
            {
                int host = rank.Value / 2;
                hosts.Enter(host); // this thread's sockets belong there from here on
                var options = Ranks.Options with { ListenHost = TwoHosts.AddressOf(host), Hosts = Ranks.PerHost(2) };
                using var end = Fabrics.Open(FabricKind.Mixed, new(world, rank, new(1), plan, options, session));
                descriptors[rank.Value] = end.Descriptor;
                Assert.True(opened.SignalAndWait(Ranks.Limit));
                using var fabric = end.Connect(descriptors);
                foreach (var peer in world.Ranks) Assert.Equal(peer.Value / 2 == host, fabric.TryMap(peer, default, out _));
                sums[rank.Value] = [.. Enumerable.Range(0, values).Select(i => rank.Value * 0.1f + i)];
                var comm = new Communicator(fabric, world.All, reserved);
                for (int i = 0; i < 20; i++) comm.AllReduce(sums[rank.Value]);
                comm.Barrier();
                long local = (20L + 1) * 64, each = 20L * values * sizeof(float); // headers, values
                Assert.InRange(fabric.BytesSent, (ranks - 1) * each, (ranks - 1) * (each + 2 * local));
            }
            catch (Exception failed)
            {
                outcomes[rank.Value] = failed;
            }
        }))];
        long before = hosts.BytesOverCable();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) Assert.True(thread.Join(Ranks.Limit));
        Assert.All(outcomes, Assert.Null);
        Assert.All(sums, sum => Assert.Equal(sums[0], sum));
        // Of each rank's three peers two are across: so many bytes went over the cable, and not those between neighbours.
        long across = 20L * ranks * 2 * values * sizeof(float), sent = hosts.BytesOverCable() - before;
        Assert.InRange(sent, across, across * 5 / 4);
    }

    /// <summary>Skipped, with the reason, where namespaces cannot be made.</summary>
    private sealed class TwoNamespacesFactAttribute : FactAttribute
    {
        public TwoNamespacesFactAttribute()
        {
            try
            {
                new TwoHosts().Dispose();
            }
            catch (InvalidOperationException why)
            {
                Skip = $"needs two network namespaces (root, and ip of iproute2): {why.Message}";
            }
        }
    }

    private sealed class TwoHosts : IDisposable
    {
        private const int NewNet = 0x40000000;
        private readonly string _name = $"troupe{Environment.ProcessId}x{Guid.NewGuid():N}"[..20];

        public TwoHosts()
        {
            try
            {
                for (int host = 0; host < 2; host++)
                {
                    Ip($"netns add {_name}{host}");
                    Ip($"-n {_name}{host} link set lo up");
                }
                Ip($"link add cable0 netns {_name}0 type veth peer name cable1 netns {_name}1");
                for (int host = 0; host < 2; host++)
                {
                    Ip($"-n {_name}{host} address add {AddressOf(host)}/24 dev cable{host}");
                    Ip($"-n {_name}{host} link set cable{host} up");
                }
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public static string AddressOf(int host) => $"10.99.0.{1 + host}";

        /// <summary>Moves the calling thread to a host.</summary>
        public void Enter(int host)
        {
            using var space = File.OpenHandle($"/run/netns/{_name}{host}");
            if (SetNamespace((int)space.DangerousGetHandle(), NewNet) != 0)
                throw new InvalidOperationException($"setns failed: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        /// <summary>What both ends of the cable have sent.</summary>
        public long BytesOverCable() => Enumerable.Range(0, 2).Sum(host =>
        {
            string said = Ip($"-n {_name}{host} -s link show cable{host}");
            string[] lines = said.Split('\n');
            int sent = Array.FindIndex(lines, line => line.Contains("TX:", StringComparison.Ordinal));
            return long.Parse(lines[sent + 1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0]);
        });

        public void Dispose()
        {
            for (int host = 0; host < 2; host++)
            {
                if (File.Exists($"/run/netns/{_name}{host}")) Ip($"netns delete {_name}{host}");
            }
        }

        private static string Ip(string arguments)
        {
            try
            {
                var start = new ProcessStartInfo("ip", arguments)
                {
                    RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false,
                };
                using var ip = Process.Start(start)!;
                string said = ip.StandardOutput.ReadToEnd(), problem = ip.StandardError.ReadToEnd();
                ip.WaitForExit();
                return ip.ExitCode == 0 ? said : throw new InvalidOperationException($"ip {arguments}: {problem.Trim()}");
            }
            catch (System.ComponentModel.Win32Exception none)
            {
                throw new InvalidOperationException(none.Message, none);
            }
        }

        [DllImport("libc", EntryPoint = "setns", SetLastError = true)]
        private static extern int SetNamespace(int descriptor, int kind);
    }
}
