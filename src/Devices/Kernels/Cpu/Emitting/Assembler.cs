namespace Troupe.Devices.Kernels.Cpu.Emitting;

/// <summary>A place in memory: base + index x scale + offset. Registers by number; index -1: none.</summary>
internal readonly record struct Place(int Base, int Offset = 0, int Index = -1, int Scale = 1);

/// <summary>
/// Writes machine code of x86-64: just the instructions of our loops. Vectors have 512 bits. Encodings: Intel SDM, volume 2, chapter 2.
/// </summary>
internal sealed class Assembler
{
    /// <summary>Registers that a function of the System V convention may change; Rdi has its argument.</summary>
    public const int Rax = 0, Rcx = 1, Rdx = 2, Rsi = 6, Rdi = 7, R8 = 8, R9 = 9, R10 = 10, R11 = 11;

    private const int Rsp = 4;
    private readonly List<byte> _code = [];

    /// <summary>Where the next instruction will be.</summary>
    public int Here => _code.Count;

    /// <summary>What was written.</summary>
    public byte[] ToArray() => [.. _code];

    /// <summary>Fills up to a length, where other code begins.</summary>
    public void Fill(int length)
    {
        if (Here > length) throw new InvalidOperationException($"the code has {Here} bytes, wanted at most {length}");
        while (Here < length) _code.Add(0xCC); // int3
    }

    /// <summary>mov to, [from]</summary>
    public void Load(int to, Place from) => General(0x8B, to, from);

    /// <summary>lea to, [from]</summary>
    public void Address(int to, Place from) => General(0x8D, to, from);

    /// <summary>add to, value</summary>
    public void Add(int to, int value)
    {
        Bytes((byte)(0x48 | to >> 3), 0x81, (byte)(0xC0 | to & 7));
        Int(value);
    }

    /// <summary>add to, from</summary>
    public void AddRegister(int to, int from) =>
        Bytes((byte)(0x48 | from >> 3 << 2 | to >> 3), 0x01, (byte)(0xC0 | (from & 7) << 3 | to & 7));

    /// <summary>dec counter; jnz top</summary>
    public void Repeat(int counter, int top)
    {
        Bytes((byte)(0x48 | counter >> 3), 0xFF, (byte)(0xC8 | counter & 7), 0x0F, 0x85);
        Int(top - (Here + sizeof(int)));
    }

    /// <summary>vzeroupper; ret</summary>
    public void Return() => Bytes(0xC5, 0xF8, 0x77, 0xC3);

    /// <summary>vpxord to, to, to</summary>
    public void Zero(int to) => Registers(1, 1, 0xEF, to, to, to);

    /// <summary>vmovups to, [from]</summary>
    public void LoadVector(int to, Place from) => Memory(1, 0, 0x10, to, 0, from);

    /// <summary>vmovups [to], from</summary>
    public void StoreVector(Place to, int from) => Memory(1, 0, 0x11, from, 0, to);

    /// <summary>vpbroadcastd to, [from]</summary>
    public void Broadcast(int to, Place from) => Memory(2, 1, 0x58, to, 0, from);

    /// <summary>vdpbf16ps sum, a, b: sums of two products of bf16 each.</summary>
    public void MultiplyPairs(int sum, int a, int b) => Registers(2, 2, 0x52, sum, a, b);

    /// <summary>vdpbf16ps sum, a, [b]</summary>
    public void MultiplyPairs(int sum, int a, Place b) => Memory(2, 2, 0x52, sum, a, b);

    /// <summary>vpdpbusd sum, bytes, [four] to all lanes: sums of four products of an unsigned with a signed byte each.</summary>
    public void MultiplyFours(int sum, int bytes, Place four) => Memory(2, 1, 0x50, sum, bytes, four, broadcast: true);

    /// <summary>vpandd to, a, b</summary>
    public void And(int to, int a, int b) => Registers(1, 1, 0xDB, to, a, b);

    /// <summary>vpsrlw to, from, bits: words.</summary>
    public void ShiftWordsRight(int to, int from, byte bits)
    {
        Registers(1, 1, 0x71, 2, to, from);
        Bytes(bits);
    }

    /// <summary>vpslld to, from, bits</summary>
    public void ShiftLeft(int to, int from, byte bits)
    {
        Registers(1, 1, 0x72, 6, to, from);
        Bytes(bits);
    }

    /// <summary>vpmovzxwd to, [from]: 16 words.</summary>
    public void WidenWords(int to, Place from) => Memory(2, 1, 0x33, to, 0, from);

    /// <summary>vpmovsxbw to, [from]: 32 signed bytes.</summary>
    public void WidenBytes(int to, Place from) => Memory(2, 1, 0x20, to, 0, from);

    /// <summary>vpermw to, indices, table: a word of the table for the lower five bits of each index.</summary>
    public void LookUpWords(int to, int indices, int table) => Registers(2, 1, 0x8D, to, indices, table, wide: true);

    /// <summary>vpternlogd to, other, mask, 0xE4: keeps the bits of to where the mask has ones, and takes the other's elsewhere.</summary>
    public void KeepWhere(int to, int other, int mask)
    {
        Registers(3, 1, 0x25, to, other, mask);
        Bytes(0xE4);
    }

    /// <summary>vcvtdq2ps to, from</summary>
    public void ToSingle(int to, int from) => Registers(1, 0, 0x5B, to, 0, from);

    /// <summary>vmulps to, a, [b] to all lanes</summary>
    public void MultiplyByOne(int to, int a, Place b) => Memory(1, 0, 0x59, to, a, b, broadcast: true);

    /// <summary>vfmadd231ps sum, a, b</summary>
    public void MultiplyAdd(int sum, int a, int b) => Registers(2, 1, 0xB8, sum, a, b);

    private void Bytes(params ReadOnlySpan<byte> code) => _code.AddRange(code);

    private void Int(int value) => Bytes((byte)value, (byte)(value >> 8), (byte)(value >> 16), (byte)(value >> 24));

    private void General(byte op, int register, Place place)
    {
        Bytes((byte)(0x48 | register >> 3 << 2 | (place.Index < 0 ? 0 : place.Index >> 3 << 1) | place.Base >> 3), op);
        Operand(register, place);
    }

    // ModRM, SIB and a 32-bit offset, which in EVEX, too, is one of bytes.
    private void Operand(int register, Place place)
    {
        bool plain = place.Index < 0 && (place.Base & 7) != Rsp;
        Bytes((byte)(0x80 | (register & 7) << 3 | (plain ? place.Base & 7 : Rsp)));
        if (!plain)
        {
            int index = place.Index < 0 ? Rsp : place.Index & 7;
            Bytes((byte)(System.Numerics.BitOperations.Log2((uint)place.Scale) << 6 | index << 3 | place.Base & 7));
        }
        Int(place.Offset);
    }

    // map: 1 for 0F, 2 for 0F38, 3 for 0F3A; prefix: 0 none, 1 for 66, 2 for F3.
    private void Registers(int map, int prefix, byte op, int register, int second, int operand, bool wide = false)
    {
        Evex(map, prefix, register, second, operand >> 4 & 1, operand >> 3 & 1, false, wide);
        Bytes(op, (byte)(0xC0 | (register & 7) << 3 | operand & 7));
    }

    private void Memory(int map, int prefix, byte op, int register, int second, Place place, bool broadcast = false)
    {
        Evex(map, prefix, register, second, place.Index < 0 ? 0 : place.Index >> 3, place.Base >> 3, broadcast);
        Bytes(op);
        Operand(register, place);
    }

    // All but map, prefix, width and broadcast are stored inverted.
    private void Evex(int map, int prefix, int register, int second, int x, int b, bool broadcast, bool wide = false) => Bytes(0x62,
        (byte)((~(register >> 3) & 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | (~(register >> 4) & 1) << 4 | map),
        (byte)((wide ? 1 << 7 : 0) | (~second & 15) << 3 | 4 | prefix),
        (byte)(2 << 5 | (broadcast ? 1 << 4 : 0) | (~(second >> 4) & 1) << 3));
}
