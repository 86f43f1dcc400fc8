using Troupe.Devices.Kernels.Cpu.Emitting;
using Troupe.Testing;
using Xunit;

namespace Troupe.Devices.Tests.Kernels.Tiles;

/// <summary>The interpreter that the loops are shown right by: it must see what is wrong.</summary>
public sealed unsafe class TileMachineTests
{
    private const int Rax = 0, Rcx = 1, Rbx = 3, Rdi = 7;

    private static readonly Dictionary<string, (string Says, Action<AmxAssembler> Write)> s_wrong = new()
    {
        ["a tile before shapes"] = ("have no shapes", a => a.Zero(0)),
        ["a product before shapes"] = ("have no shapes", a => a.Multiply(0, 4, 6)),
        ["a tile without rows"] = ("has no rows", a => Shaped(a, () => a.Zero(2))),
        ["a product of a tile by itself"] = ("are not three", a => Shaped(a, () => a.Multiply(0, 4, 4))),
        ["a product of shapes that do not fit"] = ("do not fit", a => Shaped(a, () => a.Multiply(6, 4, 7))),
        ["tiles kept"] = ("not released", a => a.Configure(Rdi, 0)),
        ["a register of the caller lost"] = ("register 3", a => a.Set(Rbx, 1)),
        ["a push without a pop"] = ("returns to", a => a.Push(Rax)),
        ["a pop without a push"] = ("pops", a =>
        {
            a.Pop(Rcx);
            a.Pop(Rcx);
        }),
        ["a read outside"] = ("reads 8 bytes", a => a.Load(Rax, Rdi, 120)),
        ["a tile read outside"] = ("reads 64 bytes", a => Shaped(a, () => a.LoadTile(6, Rdi, Rcx, 64))),
        ["a write to what may be read"] = ("writes 64 bytes", a => Shaped(a, () => a.StoreTile(6, Rdi, Rcx, 0))),
        ["a jump by old flags"] = ("no comparison", a =>
        {
            a.Compare(Rax, Rax);
            a.Add(Rax, 1);
            a.JumpIfBelow(0);
        }),
        ["an endless loop"] = ("does not end", a =>
        {
            a.Compare(Rax, Rax);
            a.JumpIfNotAbove(a.Here - 3);
        }),
    };

    public static TheoryData<string> Wrongs => [.. s_wrong.Keys];

    [Theory]
    [MemberData(nameof(Wrongs))]
    public void Wrong_code_is_a_fault(string what)
    {
        (string says, Action<AmxAssembler> write) = s_wrong[what];
        Assert.Contains(says, Assert.Throws<MachineFaultException>(() => Run(write, 5)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_it_does_not_know_is_a_fault()
    {
        byte[] code = [0xC5, 0xF8, 0x77, 0xC3]; // vzeroupper; ret
        var machine = new TileMachine(code, new GuardedMemory(), Seed.For(nameof(What_it_does_not_know_is_a_fault)));
        Assert.Contains("C5F877", Assert.Throws<MachineFaultException>(() => machine.Call(null)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 2)] // palette
    [InlineData(5, 1)] // reserved
    [InlineData(16, 65)] // bytes of tile 0's row
    [InlineData(48, 17)] // rows of tile 0
    [InlineData(48, 0)] // rows, none, of some bytes
    public void Shapes_that_a_processor_refuses_are_a_fault(int at, byte value) =>
        Assert.Throws<MachineFaultException>(() => Run(a => Shaped(a, () => { }), 5, config => config[at] = value));

    [Fact]
    public void Legal_code_is_none() => Run(a => Shaped(a, () => a.LoadTile(6, Rdi, Rcx, 0)), 5, rowsApart: 4);

    private static void Shaped(AmxAssembler a, Action body)
    {
        a.Configure(Rdi, 0);
        a.Set(Rcx, 4);
        body();
        a.Release();
    }

    private delegate void Change(Span<byte> config);

    private static void Run(Action<AmxAssembler> write, int rows, Change? change = null, int rowsApart = 0)
    {
        var a = new AmxAssembler();
        write(a);
        a.Return();
        byte* config = stackalloc byte[128];
        new Span<byte>(config, 128).Clear();
        AmxCode.Shapes(new Span<byte>(config, 64), rows);
        change?.Invoke(new Span<byte>(config, 64));
        var memory = new GuardedMemory();
        memory.Allow(config, 64 + 15 * rowsApart, "config");
        new TileMachine(a.ToArray(), memory, Seed.For(nameof(TileMachineTests))).Call(config);
    }
}
