namespace Troupe.Testing;

/// <summary>Seeds for tests: fixed unless TROUPE_SEED is set, and printed, so that a failure can be replayed.</summary>
public static class Seed
{
    /// <summary>The seed of this run.</summary>
    public static int Value { get; } = int.TryParse(Environment.GetEnvironmentVariable("TROUPE_SEED"), out int given) ? given : 20261122;

    /// <summary>A generator for a test; its seed goes to stderr and so into the test log.</summary>
    public static Random For(string test)
    {
        Console.Error.WriteLine($"{test}: TROUPE_SEED={Value}");
        return new Random(Value);
    }
}
