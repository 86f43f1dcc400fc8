using Troupe.Testing.Fuzz;
using Xunit;

namespace Troupe.Model.Tests.Fuzz;

/// <summary>The engine finds what it is there to find, and says how to see it again.</summary>
public sealed class EngineTests
{
    [Theory]
    [InlineData("bug", "ends in InvalidOperationException")]
    [InlineData("two lines", "is refused with other than one line of text")]
    [InlineData("memory", "allocates")]
    [InlineData("wrong", "what was read is wrong")]
    public void A_case_that_goes_wrong_is_named_with_its_seed_and_made_small(string how, string says)
    {
        string message = Assert.Throws<FuzzFailureException>(() => FuzzRun.Of(new Broken(how))).Message;
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.Contains(": TROUPE_SEED=", message.Replace("repeat", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains($"TROUPE_FUZZ_CASE=engine {how}:", message, StringComparison.Ordinal);
        Assert.Contains("input made smaller (1 bytes", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cases_that_load_or_are_refused_in_one_line_pass() => FuzzRun.Of(new Broken("nothing"));

    /// <summary>Takes inputs without an x well.</summary>
    private sealed class Broken(string how) : FuzzTarget
    {
        private byte[] _kept = [];

        public override string Kind => $"engine {how}";

        public override int Cases => 200;

        public override IReadOnlyList<byte[]> Seeds => ["abc"u8.ToArray()];

        public override byte[] Make(Random random) => random.Next(10) == 0 ? "ab x cd"u8.ToArray() : "ab"u8.ToArray();

        public override bool IsRefusal(Exception e) => e is FormatException;

        public override long MayAllocate(int inputBytes) => 1 << 20;

        public override void Use(byte[] input, Random random)
        {
            if (input.AsSpan().SequenceEqual("ab"u8)) throw new FormatException("one line");
            if (!input.Contains((byte)'x') || how == "nothing") return;
            if (how == "bug") throw new InvalidOperationException("a bug");
            if (how == "two lines") throw new FormatException("two\nlines");
            _kept = new byte[2 << 20];
            Check(how != "wrong", $"what was read is wrong: {_kept.Length}");
        }
    }
}
