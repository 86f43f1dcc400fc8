using System.Runtime.InteropServices;

namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>
/// The instructions that loops over AMX tiles are made of, and no others. Encodings: Intel SDM, volume 2 (2.3.5: VEX). Registers are
/// numbered as there: rax 0, rcx 1, rdx 2, rbx 3, rsp 4, rbp 5, rsi 6, rdi 7, r8 to r15; a byte index is never rsp.
/// </summary>
internal sealed class AmxAssembler
{
    private const int None = 0, F3 = 2, F2 = 3; // VEX.pp
    private readonly List<byte> _code = [];

    /// <summary>A place that jumps may go back to.</summary>
    public int Here => _code.Count;

    /// <summary>What was written.</summary>
    public byte[] ToArray() => [.. _code];

    /// <summary>push register</summary>
    public void Push(int register) => Short(0x50, register);

    /// <summary>pop register</summary>
    public void Pop(int register) => Short(0x58, register);

    /// <summary>ret</summary>
    public void Return() => Bytes(0xC3);

    /// <summary>mov register, value: 32 bits, the upper ones become 0.</summary>
    public void Set(int register, int value)
    {
        Short(0xB8, register);
        Int(value);
    }

    /// <summary>add register, value: 64 bits.</summary>
    public void Add(int register, int value)
    {
        Bytes((byte)(0x48 | register >> 3), 0x81, (byte)(0xC0 | register & 7));
        Int(value);
    }

    /// <summary>mov register, [at + offset]: 64 bits; offset: a signed byte.</summary>
    public void Load(int register, int at, int offset) => Memory(0x8B, register, at, offset);

    /// <summary>add register, [at + offset]</summary>
    public void AddFrom(int register, int at, int offset) => Memory(0x03, register, at, offset);

    /// <summary>cmp register, [at + offset]</summary>
    public void CompareWith(int register, int at, int offset) => Memory(0x3B, register, at, offset);

    /// <summary>mov to, from</summary>
    public void Move(int to, int from) => Registers(0x8B, to, from);

    /// <summary>add to, from</summary>
    public void AddRegister(int to, int from) => Registers(0x03, to, from);

    /// <summary>cmp left, right</summary>
    public void Compare(int left, int right) => Registers(0x3B, left, right);

    /// <summary>jb: back to there if the left side was below the right one.</summary>
    public void JumpIfBelow(int there) => Jump(0x82, there);

    /// <summary>jbe: back to there if the left side was not above the right one.</summary>
    public void JumpIfNotAbove(int there) => Jump(0x86, there);

    /// <summary>prefetcht0 [at + offset]</summary>
    public void Prefetch(int at, int offset)
    {
        if (at >= 8) Bytes(0x41);
        Bytes(0x0F, 0x18, (byte)(0x88 | at & 7));
        if ((at & 7) == 4) Bytes(0x24);
        Int(offset);
    }

    /// <summary>ldtilecfg [at + offset]: shapes of all tiles, which become 0.</summary>
    public void Configure(int at, int offset)
    {
        Vex(None, 0, at, 0);
        Bytes(0x49, (byte)(0x80 | at & 7));
        if ((at & 7) == 4) Bytes(0x24);
        Int(offset);
    }

    /// <summary>tilerelease: no tile has a shape any more, and the processor has no state of them to save.</summary>
    public void Release()
    {
        Vex(None, 0, 0, 0);
        Bytes(0x49, 0xC0);
    }

    /// <summary>tilezero tile</summary>
    public void Zero(int tile)
    {
        Vex(F2, 0, 0, 0);
        Bytes(0x49, (byte)(0xC0 | tile << 3));
    }

    /// <summary>tileloadd tile, [at + stride + offset]: its rows lie so many bytes apart as the register stride says.</summary>
    public void LoadTile(int tile, int at, int stride, int offset) => Tile(F2, tile, at, stride, offset);

    /// <summary>tilestored [at + stride + offset], tile</summary>
    public void StoreTile(int tile, int at, int stride, int offset) => Tile(F3, tile, at, stride, offset);

    /// <summary>tdpbf16ps sums, a, b: sums[m, n] += a[m, pairs of k] . b[pairs of k, n].</summary>
    public void Multiply(int sums, int a, int b)
    {
        Vex(F3, 0, 0, b);
        Bytes(0x5C, (byte)(0xC0 | sums << 3 | a));
    }

    private void Bytes(params ReadOnlySpan<byte> code) => _code.AddRange(code);

    private void Int(int value) => Bytes(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));

    private void Short(int op, int register)
    {
        if (register >= 8) Bytes(0x41);
        Bytes((byte)(op | register & 7));
    }

    private void Registers(byte op, int reg, int rm) =>
        Bytes((byte)(0x48 | reg >> 3 << 2 | rm >> 3), op, (byte)(0xC0 | (reg & 7) << 3 | rm & 7));

    private void Memory(byte op, int reg, int at, int offset)
    {
        Bytes((byte)(0x48 | reg >> 3 << 2 | at >> 3), op, (byte)(0x40 | (reg & 7) << 3 | at & 7));
        if ((at & 7) == 4) Bytes(0x24);
        Bytes((byte)checked((sbyte)offset));
    }

    private void Jump(byte condition, int there)
    {
        Bytes(0x0F, condition);
        Int(there - (Here + sizeof(int)));
    }

    // Tiles are only addressed with a second register, which holds the distance of rows.
    private void Tile(int prefix, int tile, int at, int stride, int offset)
    {
        Vex(prefix, stride, at, 0);
        Bytes(0x4B, (byte)(0x44 | tile << 3), (byte)((stride & 7) << 3 | at & 7), (byte)checked((sbyte)offset));
    }

    // Three bytes: C4; R, X and B inverted, map 0F38; W 0, vvvv inverted, 128 bits, prefix. There are 8 tiles, so R is never set.
    private void Vex(int prefix, int index, int at, int vvvv) =>
        Bytes(0xC4, (byte)(0x80 | (~(index >> 3) & 1) << 6 | (~(at >> 3) & 1) << 5 | 2), (byte)((~vvvv & 15) << 3 | prefix));
}
