using Troupe.Devices.Tensors;
using Troupe.Model.Cache;
using Troupe.Model.Layers;
using Xunit;

namespace Troupe.Model.Tests.Cache;

public sealed class BlockTableTests
{
    private readonly BlockTable _table = new(slots: 2, blocksPerSlot: 3, blocks: 10, blockSize: 16);

    [Fact]
    public void A_slot_holds_its_blocks_in_the_order_given()
    {
        _table.Set(1, [9, 0, 4]);
        Assert.Equal([0, 0, 0, 9, 0, 4], _table.All.ToArray());
        Assert.Equal(48, _table.Capacity(1));
        _table.Clear(1);
        Assert.Equal(0, _table.Capacity(1));
    }

    [Theory]
    [InlineData(2, new[] { 1 }, "slot must be in [0, 2), got 2")]
    [InlineData(0, new[] { 10 }, "block must be in [0, 10), got 10")]
    [InlineData(0, new[] { -1 }, "block must be in [0, 10), got -1")]
    [InlineData(0, new[] { 1, 2, 3, 4 }, "at most 3 blocks, got 4")]
    public void What_the_cache_lacks_is_refused(int slot, int[] blocks, string reason)
    {
        var error = Assert.Throws<ArgumentException>(() => _table.Set(slot, blocks));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_beyond_the_blocks_of_its_sequence_is_refused()
    {
        var rows = new StepRows(2, _table);
        _table.Set(0, [5]);
        rows.Add(token: 7, position: 15, slot: 0);
        Assert.Throws<ArgumentException>(() => rows.Add(7, 16, 0));
        Assert.Throws<ArgumentException>(() => rows.Add(7, 0, 1));
        Assert.Throws<ArgumentException>(() => rows.Add(7, -1, 0));
        rows.Add(8, 14, 0);
        Assert.Throws<ArgumentException>(() => rows.Add(9, 13, 0));
        Assert.Equal([7, 8], rows.TokenIds.ToArray());
        rows.Clear();
        Assert.Equal(0, rows.Count);
    }

    [Theory]
    [InlineData(8, ElementType.F32)]
    [InlineData(24, ElementType.F32)]
    [InlineData(16, ElementType.F16)]
    public void A_cache_of_an_impossible_kind_is_refused(int blockSize, ElementType type) =>
        Assert.Throws<ArgumentException>(() => new PagedKvCache(1, type, 4, blockSize, new KvShape(2, 32, 32)));

    [Fact]
    public void A_cache_says_how_many_bytes_it_takes()
    {
        // layers x blocks x positions x heads x (key + value) x bytes; a value row of 20 takes 32 places.
        using var whole = new PagedKvCache(3, ElementType.F32, 5, 16, new KvShape(2, 32, 32));
        using var half = new PagedKvCache(1, ElementType.BF16, 1, 16, new KvShape(1, 20, 20));
        Assert.Equal(3L * 5 * 16 * 2 * (32 + 32) * 4, whole.Bytes);
        Assert.Equal(16L * (20 + 32) * 2, half.Bytes);
    }
}
