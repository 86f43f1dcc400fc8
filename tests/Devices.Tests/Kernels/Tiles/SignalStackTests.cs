using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Troupe.Devices.Kernels.Cpu.Emitting;
using Xunit;

namespace Troupe.Devices.Tests.Kernels.Tiles;

/// <summary>Threads with a wide signal stack.</summary>
public sealed class SignalStackTests
{
    [Fact]
    public void A_null_reference_is_still_an_exception_and_threads_still_end()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64) return;
        for (int i = 0; i < 20; i++)
        {
            (long before, long after, bool caught) = (0, 0, false);
            var thread = new Thread(() =>
            {
                before = SignalStack.Size();
                SignalStack.Widen();
                SignalStack.Widen();
                after = SignalStack.Size();
                caught = Assert.Throws<NullReferenceException>(() => Length(null)) is not null;
            });
            thread.Start();
            thread.Join();
            Assert.True(caught);
            if (before > 0) Assert.InRange(after, SignalStack.Bytes, long.MaxValue);
        }
    }

    // Known to the processor alone.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Length(string? text) => text!.Length;
}
