using System.Globalization;
using Troupe.Cli.Measures;
using Troupe.Testing;
using Xunit;

namespace Troupe.Cli.Tests.Bench;

/// <summary>The generator against rows that the generator in C made.</summary>
public sealed class RoutingGeneratorTests
{
    private const int GoldenRows = 256;

    private static readonly string[] s_golden = [.. File.ReadAllLines(Repository.At("tests", "goldens", "routing", "routing_golden.tsv"))
        .Where(line => line.Length > 0 && char.IsAsciiDigit(line[0]))];

    [Fact]
    public void Every_golden_row_comes_out_the_same()
    {
        Assert.Equal(GoldenRows, s_golden.Length);
        Assert.All(s_golden, line =>
        {
            Golden wanted = Golden.Parse(line);
            var generator = new RoutingGenerator(wanted.Seed, wanted.Experts, wanted.TopK, wanted.Zipf);
            int[] ids = new int[wanted.TopK], raw = new int[wanted.TopK];
            float[] weights = new float[wanted.TopK];
            generator.Route(wanted.Rank, wanted.Token, ids, weights, raw);
            sbyte[] row = new sbyte[wanted.Payload.Length];
            generator.Payload(wanted.Rank, wanted.Token, row);
            Assert.Equal(wanted.Ids, ids);
            Assert.Equal(wanted.Raw, raw);
            Assert.Equal(wanted.FirstWeight, BitConverter.SingleToUInt32Bits(weights[0]));
            Assert.Equal(wanted.Payload, row);
        });
    }

    [Fact]
    public void Goldens_cover_all_popularities_and_several_ranks()
    {
        Golden[] rows = [.. s_golden.Select(Golden.Parse)];
        Assert.Equal([0, 1, 2], rows.Select(r => r.Zipf).Distinct().Order());
        Assert.True(rows.Select(r => r.Rank).Distinct().Count() > 1);
        Assert.True(rows.Select(r => r.Experts).Distinct().Count() > 1);
    }

    private sealed record Golden(ulong Seed, int Zipf, int Experts, int TopK, int Rank, int Token, int[] Ids, int[] Raw, uint FirstWeight,
        sbyte[] Payload)
    {
        public static Golden Parse(string line)
        {
            string[] fields = line.Split('\t');
            static int[] List(string text) => [.. text.Split(',').Select(int.Parse)];
            int[] numbers = [.. fields[1..6].Select(int.Parse)];
            return new Golden(ulong.Parse(fields[0]), numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
                List(fields[6]), List(fields[7]),
                uint.Parse(fields[8], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                [.. List(fields[9]).Select(q => (sbyte)q)]);
        }
    }
}
