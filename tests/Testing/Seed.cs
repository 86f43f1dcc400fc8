namespace Troupe.Testing;

/// <summary>Seeds for tests: fixed unless TROUPE_SEED is set, and printed, so that a failure can be replayed.</summary>
public static class Seed
{
    /// <summary>A generator for a test; its seed goes to stderr and so into the test log.</summary>
    public static Random For(string test)
    {
        int seed = int.TryParse(Environment.GetEnvironmentVariable("TROUPE_SEED"), out int given) ? given : 20261122;
        Console.Error.WriteLine($"{test}: TROUPE_SEED={seed}");
        return new Random(seed);
    }
}
