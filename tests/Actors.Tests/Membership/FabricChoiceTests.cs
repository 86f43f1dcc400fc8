using Akka.Actor;
using Troupe.Actors.Membership;
using Troupe.Actors.Protocols;
using Xunit;

namespace Troupe.Actors.Tests.Membership;

public sealed class FabricChoiceTests
{
    private const long MiB = 1 << 20, Window = 3 * MiB;
    private static readonly Fingerprint Print = new(1, "", "", "", "", "");

    [Fact]
    public void Auto_shares_memory_where_the_windows_of_all_ranks_there_just_fit()
    {
        Assert.Equal(new FabricChoice("shm"), Choose("auto", At("h:1", true, 6 * MiB), At("h:2", true, 6 * MiB)));
        Assert.Equal(new FabricChoice("mixed"),
            Choose("auto", At("h:1", true, 6 * MiB), At("h:2", true, 6 * MiB), At("g:1", false, 3 * MiB)));
    }

    [Fact]
    public void A_byte_too_few_makes_all_ranks_use_tcp_and_one_line_says_what_was_wanted_needed_free_and_to_do()
    {
        FabricChoice choice = Choose("auto", At("h:1", true, 6 * MiB), At("h:2", true, 6 * MiB - 1));
        Assert.Equal("tcp", choice.Fabric);
        Assert.Equal("fabric auto: shm was wanted, but the windows of rank 0, 1 need 6 MiB of /dev/shm and 5 MiB are free; tcp is used "
            + "for all ranks; for shm, enlarge /dev/shm (docker run --shm-size 6m, compose shm_size)", choice.Warning);
    }

    [Theory]
    [InlineData("g:1", 2, "rank 2 need 3 MiB of /dev/shm and 2 MiB")] // another host
    [InlineData("h:9", 100, null)] // of the first host's address, but beside its memory: its own memory suffices
    public void Every_host_needs_room_for_its_own_ranks_only(string address, int freeMiB, string? says)
    {
        FabricChoice choice = Choose("auto", At("h:1", true, 6 * MiB), At("h:2", true, 6 * MiB), At(address, false, freeMiB * MiB));
        Assert.Equal(says is null ? "mixed" : "tcp", choice.Fabric);
        if (says is null) Assert.Null(choice.Warning);
        else Assert.Contains(says, choice.Warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_not_even_the_probe_could_be_made_ranks_of_one_address_count_together()
    {
        FabricChoice choice = Choose("auto", At("h:1", false, 0), At("h:2", false, 0));
        Assert.Equal("tcp", choice.Fabric);
        Assert.Contains("rank 0, 1 need 6 MiB of /dev/shm and 0 MiB are free", choice.Warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("shm")]
    [InlineData("tcp")]
    [InlineData("mixed")]
    [InlineData("inprocess")]
    public void What_was_asked_for_by_name_is_used_whatever_comes_of_it(string asked) =>
        Assert.Equal(new FabricChoice(asked), Choose(asked, At("h:1", true, 0), At("h:2", true, 0)));

    [Fact]
    public void Ranks_of_different_hosts_use_tcp_and_need_no_shared_memory() =>
        Assert.Equal(new FabricChoice("tcp"), Choose("auto", At("h:1", false, 0), At("g:1", false, 0)));

    private static FabricChoice Choose(string asked, params NodeEntry[] nodes) => FabricChoice.Of(
        asked, [.. nodes.Select((n, i) => n with { Rank = i })],
        [.. nodes.Select(n => n.SharesMemory ? "" : n.Join.Address.Split(':')[0])], Window);

    private static NodeEntry At(string address, bool shares, long free) =>
        new(new JoinRequest(Print, -1, 1, address, "", ActorRefs.Nobody, ""), new JoinAccepted("", 0, address, ""), -1, NodePhase.Attached)
        {
            SharesMemory = shares, SharedFreeBytes = free,
        };
}
