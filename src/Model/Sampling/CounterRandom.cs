namespace Troupe.Model.Sampling;

/// <summary>
/// Random numbers without a state: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), keyed by the seed
/// and counted by the position. Any rank in any layout draws the same number for the same token of a request.
/// </summary>
public static class CounterRandom
{
    private const int Rounds = 10;
    private const uint MultiplierA = 0xD2511F53, MultiplierB = 0xCD9E8D57, KeyStepA = 0x9E3779B9, KeyStepB = 0xBB67AE85;

    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    /// <param name="seed">The request's seed.</param>
    /// <param name="position">The position of the drawn token in its sequence, prompt included.</param>
    public static double Uniform(ulong seed, int position)
    {
        (uint a, uint b, _, _) = Philox(((uint)position, 0, 0, 0), ((uint)seed, (uint)(seed >> 32)));
        return ((((ulong)b << 32) | a) >> 11) * (1.0 / (1UL << 53));
    }

    internal static (uint, uint, uint, uint) Philox((uint A, uint B, uint C, uint D) counter, (uint A, uint B) key)
    {
        for (int round = 0; round < Rounds; round++)
        {
            ulong first = (ulong)MultiplierA * counter.A, second = (ulong)MultiplierB * counter.C;
            counter = ((uint)(second >> 32) ^ counter.B ^ key.A, (uint)second, (uint)(first >> 32) ^ counter.D ^ key.B, (uint)first);
            key = (key.A + KeyStepA, key.B + KeyStepB);
        }
        return counter;
    }
}
