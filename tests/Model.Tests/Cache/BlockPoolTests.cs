using Troupe.Model.Cache;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Cache;

public sealed class BlockPoolTests
{
    [Fact]
    public void The_lowest_free_blocks_go_first()
    {
        Reservation first = BlockPool.Of(8, 16).Reserve(33)!, second = first.Rest.Reserve(16)!;
        Assert.Equal([0, 1, 2], first.Blocks.ToArray());
        Assert.Equal([3], second.Blocks.ToArray());
        Assert.Equal([0, 1, 2, 4], second.Rest.Release(first.Blocks).Reserve(64)!.Blocks.ToArray());
    }

    [Fact]
    public void A_reservation_that_does_not_fit_takes_nothing()
    {
        BlockPool pool = BlockPool.Of(3, 16).Reserve(16)!.Rest;
        Assert.Null(pool.Reserve(33));
        Assert.Equal(2, pool.Free);
        Assert.Equal([1, 2], pool.Reserve(32)!.Blocks.ToArray());
    }

    [Fact]
    public void No_positions_need_no_blocks() => Assert.Empty(BlockPool.Of(1, 16).Reserve(0)!.Blocks);

    [Theory]
    [InlineData(2, "in [0, 2), got 2")]
    [InlineData(1, "block 1 is free already")]
    public void Releasing_a_block_that_was_not_taken_is_refused(int block, string reason)
    {
        var error = Assert.Throws<ArgumentException>(() => BlockPool.Of(2, 16).Reserve(16)!.Rest.Release([block]));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pool_agrees_with_a_sorted_set_over_random_histories()
    {
        Random random = Seed.For(nameof(A_pool_agrees_with_a_sorted_set_over_random_histories));
        for (int round = 0; round < 50; round++)
        {
            (int blocks, int blockSize) = (random.Next(1, 200), random.Next(1, 40));
            BlockPool pool = BlockPool.Of(blocks, blockSize);
            var naive = new SortedSet<int>(Enumerable.Range(0, blocks));
            var held = new List<int[]>();
            for (int move = 0; move < 200; move++)
            {
                if (held.Count > 0 && random.Next(2) == 0)
                {
                    int which = random.Next(held.Count);
                    pool = pool.Release(held[which]);
                    naive.UnionWith(held[which]);
                    held.RemoveAt(which);
                }
                else
                {
                    int positions = random.Next(0, blockSize * 12);
                    int[] wanted = [.. naive.Take((int)Math.Ceiling(positions / (double)blockSize))];
                    Reservation? got = pool.Reserve(positions);
                    if (wanted.Length * blockSize < positions) Assert.Null(got);
                    if (got is null)
                    {
                        Assert.True(naive.Count * blockSize < positions);
                        continue;
                    }
                    Assert.Equal(wanted, got.Blocks.ToArray());
                    pool = got.Rest;
                    naive.ExceptWith(wanted);
                    held.Add(wanted);
                }
                Assert.Equal(naive.Count, pool.Free);
            }
        }
    }
}
