namespace Troupe.Testing.Fuzz;

/// <summary>Damage that knows nothing of what the bytes mean.</summary>
public static class ByteMutator
{
    private static readonly byte[] s_telling = [0, 1, 9, 10, 13, 32, 34, 44, 45, 46, 48, 57, 58, 91, 92, 93, 101, 123, 125, 127, 128,
        0xC0, 0xED, 0xFF];

    /// <summary>The input with one to four changes; now and then the end of another input behind its beginning.</summary>
    public static byte[] Mutate(byte[] input, byte[] other, Random random)
    {
        for (int times = random.Next(1, 5); times > 0; times--) input = Once(input, other, random);
        return input;
    }

    private static byte[] Once(byte[] input, byte[] other, Random random)
    {
        int at = random.Next(input.Length + 1), length = Math.Min(input.Length - at, 1 + (int)(Math.Pow(random.NextDouble(), 3) * 64));
        switch (random.Next(8))
        {
            case 0 when at < input.Length:
                return Changed(input, at, (byte)(input[at] ^ (1 << random.Next(8))));
            case 1 when at < input.Length:
                return Changed(input, at, s_telling[random.Next(s_telling.Length)]);
            case 2:
                return [.. input.AsSpan(0, at), s_telling[random.Next(s_telling.Length)], .. input.AsSpan(at)];
            case 3:
                return [.. input.AsSpan(0, at), .. input.AsSpan(at + length)];
            case 4:
                return [.. input.AsSpan(0, at + length), .. input.AsSpan(at)];
            case 5 when random.Next(4) == 0:
                return input[..at];
            case 6 when random.Next(4) == 0:
                return [.. input.AsSpan(0, at), .. other.AsSpan(random.Next(other.Length + 1))];
            default:
                int to = random.Next(input.Length + 1);
                return [.. input.AsSpan(0, to), .. input.AsSpan(at, length), .. input.AsSpan(to)];
        }
    }

    private static byte[] Changed(byte[] input, int at, byte value)
    {
        byte[] copy = [.. input];
        copy[at] = value;
        return copy;
    }
}
