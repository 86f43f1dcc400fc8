using System.Diagnostics;
using System.Runtime.InteropServices;
using Troupe.Devices.Kernels.Cpu;
using Xunit;

namespace Troupe.Devices.Tests.Kernels;

/// <summary>The kernels' tests once more in processes that must do without this machine's widest vectors.</summary>
public sealed class NarrowerMachineTests
{
    private const string Expected = "TROUPE_TEST_VECTOR_BITS";
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(10);

    // The classes that such a process runs; this one's theory is not among them.
    private const string Filter = "FullyQualifiedName~Kernels.KernelTests|FullyQualifiedName~Kernels.AttentionTests"
        + "|FullyQualifiedName~Kernels.BatchInvarianceTests|FullyQualifiedName~Kernels.QuantisedTests"
        + "|FullyQualifiedName~Vectors_are_as_wide_as_this_process_is_told";

    [Fact]
    public void Vectors_are_as_wide_as_this_process_is_told()
    {
        if (Environment.GetEnvironmentVariable(Expected) is { } bits) Assert.Equal(bits, $"{CpuDevice.VectorBits}");
        else Assert.Contains(CpuDevice.VectorBits, (int[])[128, 256, 512]);
    }

    [Theory]
    [InlineData("DOTNET_EnableAVX512", 256)]
    [InlineData("DOTNET_EnableAVX2", 128)]
    public async Task Kernels_agree_with_the_reference_on_narrower_vectors(string off, int bits)
    {
        // Other processors, and machines that have no wider vectors than these, run the narrow paths in every test.
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || CpuDevice.VectorBits <= bits) return;
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])["vstest", typeof(NarrowerMachineTests).Assembly.Location, $"--TestCaseFilter:{Filter}"])
            start.ArgumentList.Add(argument);
        start.Environment[off] = "0";
        start.Environment[Expected] = $"{bits}";
        using Process child = Process.Start(start)!;
        Task<string> output = child.StandardOutput.ReadToEndAsync(), errors = child.StandardError.ReadToEndAsync();
        using var late = new CancellationTokenSource(Deadline);
        try
        {
            await child.WaitForExitAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            child.Kill(entireProcessTree: true);
            Assert.Fail($"the run with {off}=0 took more than {Deadline}");
        }
        string said = await output + await errors;
        Assert.True(child.ExitCode == 0 && said.Contains("Passed", StringComparison.Ordinal), $"{off}=0: {said}");
    }
}
