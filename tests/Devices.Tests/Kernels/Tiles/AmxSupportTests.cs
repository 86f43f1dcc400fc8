using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Troupe.Devices.Kernels.Cpu;
using Troupe.Devices.Kernels.Cpu.Emitting;
using Xunit;

namespace Troupe.Devices.Tests.Kernels.Tiles;

/// <summary>Who may use the tiles.</summary>
public sealed class AmxSupportTests
{
    // CPUID of a Sapphire Rapids, as far as it matters.
    private static readonly Dictionary<(int, int), (int Eax, int Ebx, int Ecx, int Edx)> s_sapphireRapids = new()
    {
        [(0, 0)] = (0x20, 0, 0, 0),
        [(1, 0)] = (0, 0, 1 << 27 | 1 << 26, 0),
        [(7, 0)] = (2, 0, 0, 1 << 22 | 1 << 24 | 1 << 25),
        [(0x1D, 0)] = (1, 0, 0, 0),
        [(0x1D, 1)] = (8192 | 1024 << 16, 64 | 8 << 16, 16, 0),
    };

    // A process whose instructions are emulated says so before anything asks for them.
    [ModuleInitializer]
    internal static void Emulated() => AmxSupport.IsEmulated = Environment.GetEnvironmentVariable("TROUPE_TEST_AMX") == "emulated";

    [Fact]
    public void Sapphire_rapids_lacks_nothing() => Assert.Null(Lacks(0, 0, null));

    [Theory]
    [InlineData(0, 0, 0x16, 0, 0, 0, "no AMX")] // no leaf for tiles
    [InlineData(1, 0, 0, 0, 0, 0, "no AMX")] // the system saves no wide registers
    [InlineData(7, 0, 2, 0, 0, 1 << 22, "no AMX")]
    [InlineData(7, 0, 2, 0, 0, 1 << 24 | 1 << 25, "no bf16")]
    [InlineData(0x1D, 0, 0, 0, 0, 0, "smaller")]
    [InlineData(0x1D, 1, 4096 | 512 << 16, 64 | 8 << 16, 8, 0, "smaller")]
    [InlineData(0x1D, 1, 8192 | 1024 << 16, 64 | 4 << 16, 16, 0, "smaller")]
    public void A_processor_without_it_says_so(int leaf, int subleaf, int eax, int ebx, int ecx, int edx, string says) =>
        Assert.Contains(says, Lacks(leaf, subleaf, (eax, ebx, ecx, edx)), StringComparison.Ordinal);

    [Fact]
    public void The_switch_turns_them_off() => Assert.Equal("AMX switched off by TROUPE_AMX=0", AmxSupport.WhyNot("0"));

    [Fact]
    public void Linux_refuses_what_the_processor_lacks()
    {
        if (!X86Base.IsSupported || !OperatingSystem.IsLinux() || AmxSupport.Lacks(X86Base.CpuId) is null) return;
        Assert.NotNull(AmxSupport.Refused());
    }

    [Fact]
    public void What_is_used_has_one_line_with_the_reason() =>
        Assert.Equal(AmxTiles.IsSupported ? "AMX tiles" : CpuDevice.MultipliesBf16 ? $"VDPBF16PS ({AmxTiles.WhyNot})"
            : $"fp32 (no AVX512_BF16; {AmxTiles.WhyNot})", CpuDevice.Bf16Products);

    private static string? Lacks(int leaf, int subleaf, (int, int, int, int)? other) =>
        AmxSupport.Lacks((l, s) => other is { } answer && (l, s) == (leaf, subleaf) ? answer : s_sapphireRapids[(l, s)]);
}
