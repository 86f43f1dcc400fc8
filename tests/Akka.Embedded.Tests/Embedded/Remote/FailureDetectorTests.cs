using Akka.Remote;
using Xunit;

namespace Troupe.AkkaContract.Tests.Embedded.Remote;

public sealed class FailureDetectorTests
{
    private static readonly FailureDetectorSettings Settings = new(IntervalMs: 1000, AcceptablePauseMs: 3000, Threshold: 8);

    [Fact]
    public void Phi_grows_with_the_silence()
    {
        var detector = Regular();
        double[] phis = [.. Enumerable.Range(1, 50).Select(i => detector.Phi(100_000 + i * 200))];
        Assert.Equal(phis.Order(), phis);
        Assert.True(phis[0] < 0.01);
        Assert.True(phis[^1] > Settings.Threshold);
    }

    [Fact]
    public void A_pause_within_what_is_acceptable_is_no_failure() => Assert.True(Regular().IsAvailable(100_000 + 4000));

    [Fact]
    public void A_pause_well_beyond_is_one() => Assert.False(Regular().IsAvailable(100_000 + 6000));

    [Fact]
    public void A_heartbeat_after_a_failure_makes_it_available_again()
    {
        var detector = Regular();
        Assert.False(detector.IsAvailable(120_000));
        detector.Heartbeat(120_000);
        Assert.True(detector.IsAvailable(120_100));
        Assert.False(detector.IsAvailable(126_000));
    }

    /// <summary>Phi is -log10 of the tail of a normal distribution; at y standard deviations above the mean that is known.</summary>
    [Theory]
    [InlineData(0, 0.301)]
    [InlineData(1, 0.7994)]
    [InlineData(2, 1.6429)]
    [InlineData(3, 2.8697)]
    [InlineData(4, 4.4993)]
    public void Phi_is_the_tail_of_a_normal_distribution(double deviations, double expected)
    {
        var detector = new PhiAccrualFailureDetector(new FailureDetectorSettings(1000, 0, 8, MinDeviationMs: 100), 0);
        for (int i = 1; i <= 10_000; i++) detector.Heartbeat(i * 1000L);
        Assert.Equal(expected, detector.Phi(10_000_000 + 1000 + (long)(deviations * 100)), tolerance: Math.Max(0.03, 0.06 * expected));
    }

    [Fact]
    public void Irregular_heartbeats_are_waited_for_longer()
    {
        var (regular, irregular) = (Regular(), new PhiAccrualFailureDetector(Settings, 0));
        for (int i = 1; i <= 100; i++) irregular.Heartbeat(i * 1000 + (i % 2 == 0 ? 0 : 800));
        Assert.True(irregular.Phi(105_500) < regular.Phi(105_500));
    }

    private static PhiAccrualFailureDetector Regular()
    {
        var detector = new PhiAccrualFailureDetector(Settings, 0);
        for (int i = 1; i <= 100; i++) detector.Heartbeat(i * 1000L);
        return detector;
    }
}
