using Troupe.Devices.Kernels.Cpu.Emitting;
using Xunit;

namespace Troupe.Devices.Tests.Kernels.Tiles;

/// <summary>The encoder beside GNU as 2.40, whose bytes these are.</summary>
public sealed class AmxAssemblerTests
{
    private const int Rax = 0, Rcx = 1, Rdx = 2, Rbx = 3, Rsi = 6, Rdi = 7, R8 = 8, R9 = 9, R10 = 10, R11 = 11, R12 = 12, R13 = 13,
        R14 = 14, R15 = 15;

    private static readonly (string Text, string Bytes, Action<AmxAssembler> Write)[] s_known =
    [
        ("push rbx", "53", a => a.Push(Rbx)),
        ("push r12", "4154", a => a.Push(R12)),
        ("pop r15", "415F", a => a.Pop(R15)),
        ("pop rbx", "5B", a => a.Pop(Rbx)),
        ("ret", "C3", a => a.Return()),
        ("mov edx, 128", "BA80000000", a => a.Set(Rdx, 128)),
        ("mov r9d, 77", "41B94D000000", a => a.Set(R9, 77)),
        ("add rbx, 0x7fffff", "4881C3FFFF7F00", a => a.Add(Rbx, 0x7FFFFF)),
        ("add r12, 0x80", "4981C480000000", a => a.Add(R12, 128)),
        ("mov rsi, [rdi+8]", "488B7708", a => a.Load(Rsi, Rdi, 8)),
        ("mov r14, [rdi+104]", "4C8B7768", a => a.Load(R14, Rdi, 104)),
        ("mov rax, [r12-8]", "498B4424F8", a => a.Load(Rax, R12, -8)),
        ("add r10, [rdi+56]", "4C035738", a => a.AddFrom(R10, Rdi, 56)),
        ("cmp rbx, [rdi+64]", "483B5F40", a => a.CompareWith(Rbx, Rdi, 64)),
        ("mov.s r13, r11", "4D8BEB", a => a.Move(R13, R11)),
        ("mov.s rax, r12", "498BC4", a => a.Move(Rax, R12)),
        ("add.s r11, r14", "4D03DE", a => a.AddRegister(R11, R14)),
        ("add.s rax, r15", "4903C7", a => a.AddRegister(Rax, R15)),
        ("cmp.s r9, r10", "4D3BCA", a => a.Compare(R9, R10)),
        ("prefetcht0 [r9+4096]", "410F188900100000", a => a.Prefetch(R9, 4096)),
        ("prefetcht0 [rbx+4096]", "0F188B00100000", a => a.Prefetch(Rbx, 4096)),
        ("prefetcht0 [r12+4096]", "410F188C2400100000", a => a.Prefetch(R12, 4096)),
        ("ldtilecfg [rdi+128]", "C4E278498780000000", a => a.Configure(Rdi, 128)),
        ("ldtilecfg [r12+128]", "C4C27849842480000000", a => a.Configure(R12, 128)),
        ("tilerelease", "C4E27849C0", a => a.Release()),
        ("tilezero tmm0", "C4E27B49C0", a => a.Zero(0)),
        ("tilezero tmm7", "C4E27B49F8", a => a.Zero(7)),
        ("tileloadd tmm4, [r8+rsi+64]", "C4C27B4B643040", a => a.LoadTile(4, R8, Rsi, 64)),
        ("tileloadd tmm7, [r9+rdx+64]", "C4C27B4B7C1140", a => a.LoadTile(7, R9, Rdx, 64)),
        ("tileloadd tmm5, [r13+r12+64]", "C4827B4B6C2540", a => a.LoadTile(5, R13, R12, 64)),
        ("tilestored [rax+rcx+64], tmm1", "C4E27A4B4C0840", a => a.StoreTile(1, Rax, Rcx, 64)),
        ("tilestored [r9+r15+64], tmm3", "C4827A4B5C3940", a => a.StoreTile(3, R9, R15, 64)),
        ("tdpbf16ps tmm0, tmm4, tmm6", "C4E24A5CC4", a => a.Multiply(0, 4, 6)),
        ("tdpbf16ps tmm3, tmm5, tmm7", "C4E2425CDD", a => a.Multiply(3, 5, 7)),
        ("ret; jb to it", "C30F82F9FFFFFF", a =>
        {
            a.Return();
            a.JumpIfBelow(0);
        }),
        ("ret; jbe to it", "C30F86F9FFFFFF", a =>
        {
            a.Return();
            a.JumpIfNotAbove(0);
        }),
    ];

    public static TheoryData<string> Texts => [.. s_known.Select(k => k.Text)];

    [Theory]
    [MemberData(nameof(Texts))]
    public void An_instruction_is_encoded_as_another_assembler_does(string text)
    {
        (_, string bytes, Action<AmxAssembler> write) = s_known.Single(k => k.Text == text);
        var assembler = new AmxAssembler();
        write(assembler);
        Assert.Equal(bytes, Convert.ToHexString(assembler.ToArray()));
    }
}
