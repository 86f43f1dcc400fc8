using System.Runtime.Intrinsics.X86;
using Troupe.Devices.Tensors;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Kernels;

/// <summary>Weights of bf16 in 12 bits: every bit of every value is there, whatever their exponents are.</summary>
public sealed unsafe class CodedPanelTests
{
    private readonly Random _random = Seed.For(nameof(CodedPanelTests));

    [Fact]
    public void Ordinary_weights_are_coded()
    {
        // Uniform, normal, with heavier tails (where panels are wide: narrow ones have little room); zeros of both signs; subnormals.
        Coded("uniform", () => _random.NextSingle() * 2 - 1);
        Coded("normal", () => Normal() * 0.02f);
        Coded("Laplace", () => -MathF.Log(1 - _random.NextSingle()) * (_random.Next(2) - 0.5f), 1024);
        Coded("half of them zeros", () => _random.Next(4) switch { 0 => 0f, 1 => -0f, _ => Normal() });
        Coded("zeros", () => 0);
        Coded("subnormal", () => MathF.ScaleB(Normal(), -130));
        Coded("largest", () => MathF.ScaleB(1 + _random.NextSingle(), 126));
    }

    [Fact]
    public void A_few_values_far_from_the_others_are_patches()
    {
        Assert.InRange(Coded("one large", () => _random.Next(5000) == 0 ? 1e30f : Normal()), 1, 64);
        Assert.InRange(Coded("one small", () => _random.Next(5000) == 0 ? 1e-30f : Normal()), 1, 64);
        Assert.InRange(Coded("one infinite", () => _random.Next(5000) == 0 ? float.NegativeInfinity : Normal()), 1, 64);
    }

    [Fact]
    public void What_cannot_be_coded_lies_elsewhere_and_is_plain()
    {
        foreach (int columns in (int[])[32, 64, 1024])
        {
            long asked = 0;
            ushort[] plain = [.. Enumerable.Range(0, columns * CodedPanel.Rows).Select(_ => (ushort)_random.Next(0x7F80))];
            using NativeBuffer panel = new(CodedPanel.Bytes(columns)), spare = new(columns * 64);
            fixed (ushort* from = plain)
                CodedPanel.Fill(panel.Data, from, columns, bytes =>
                {
                    asked += bytes;
                    return spare.Data;
                });
            Assert.Equal(spare.Bytes, asked);
            Assert.Equal(plain, new Span<ushort>(((CodedPanel.Head*)panel.Data)->Plain, plain.Length).ToArray());
            Same(panel.Data, plain, columns, "plain");
        }
    }

    // How many patches there were in all.
    private int Coded(string what, Func<float> next, params int[] widths)
    {
        int patches = 0;
        foreach (int columns in widths is [] ? [32, 96, 1024] : widths)
        {
            ushort[] plain = [.. Enumerable.Range(0, columns * CodedPanel.Rows).Select(_ => Elements.ToBf16(next()))];
            using NativeBuffer panel = new(CodedPanel.Bytes(columns)), expanded = new(columns * 64);
            fixed (ushort* from = plain)
                CodedPanel.Fill(panel.Data, from, columns, bytes => throw new InvalidOperationException($"{what} were not coded"));
            Same(panel.Data, plain, columns, what);
            int count = ((CodedPanel.Head*)panel.Data)->Patches;
            Assert.InRange(count, 0, columns / 16);
            patches += count;
            if (!Avx512BW.IsSupported) continue;
            CodedPanel.Expand(panel.Data, (ushort*)expanded.Data, columns);
            foreach (CodedPanel.Patch patch in new Span<CodedPanel.Patch>(CodedPanel.Patches(panel.Data, columns), count))
                plain[(patch.At / 64 * 32 + patch.At % 32) * 2 + patch.At / 32 % 2] = 0;
            Assert.Equal(plain, new Span<ushort>(expanded.Data, plain.Length).ToArray());
        }
        return patches;
    }

    private static void Same(byte* panel, ushort[] plain, int columns, string what)
    {
        for (int column = 0; column < columns; column++)
            for (int row = 0; row < CodedPanel.Rows; row++)
            {
                ushort wanted = plain[(column / 2 * CodedPanel.Rows + row) * 2 + column % 2];
                ushort got = CodedPanel.Bits(panel, row, column, columns);
                Assert.True(wanted == got, $"{what}, {columns} columns, [{row}, {column}]: {got:X4}, wanted {wanted:X4}");
            }
    }

    private float Normal() =>
        MathF.Sqrt(-2 * MathF.Log(1 - _random.NextSingle())) * MathF.Cos(MathF.Tau * _random.NextSingle());
}
