using System.Buffers.Binary;

namespace Troupe.Devices.Tests.Kernels.Tiles;

/// <summary>
/// A processor for the code of loops over tiles: decodes the very bytes that the encoder wrote, by the tables of the Intel SDM (volume 2,
/// chapter 2 and appendix A), and carries them out on this process's memory, where they may. Knows what such loops use; all else is a
/// fault.
/// </summary>
internal sealed unsafe class TileMachine(byte[] code, GuardedMemory memory, Random random)
{
    private const int Rsp = 4, Rdi = 7;
    private const long MostSteps = 10_000_000;
    private const ulong ReturnAddress = 0xFEED_F00D_CAFE, StackTop = 1024;
    private readonly ulong[] _registers = new ulong[16];
    private readonly Dictionary<ulong, ulong> _stack = [];
    private readonly SimulatedTiles _tiles = new(memory);
    private int _at;
    private (bool Below, bool Equal)? _flags;

    private readonly record struct Operand(int Register, int Rm, ulong? Address, ulong Stride);

    /// <summary>Calls the code by System V with one argument, and checks that it keeps what it must.</summary>
    public void Call(void* argument)
    {
        for (int i = 0; i < 16; i++) _registers[i] = (ulong)random.NextInt64();
        _registers[Rsp] = StackTop;
        _registers[Rdi] = (ulong)argument;
        _stack[StackTop] = ReturnAddress;
        ulong[] before = [.. _registers];
        _at = 0;
        long steps = 0;
        while (Step())
            if (++steps > MostSteps) throw new MachineFaultException($"does not end within {MostSteps} instructions");
        if (_registers[Rsp] != StackTop + 8) throw new MachineFaultException($"returns with rsp off by {_registers[Rsp] - StackTop - 8}");
        foreach (int kept in (int[])[3, 5, 12, 13, 14, 15])
            if (_registers[kept] != before[kept]) throw new MachineFaultException($"register {kept} is not as it was");
        if (_tiles.AreConfigured) throw new MachineFaultException("tiles are not released");
    }

    // One instruction; false after the last.
    private bool Step()
    {
        int start = _at, rex = 0;
        byte op = Next();
        if ((op & 0xF0) == 0x40) (rex, op) = (op, Next());
        bool wide = (rex & 8) != 0;
        int low = op & 7 | (rex & 1) << 3;
        if (rex == 0 && op == 0xC4) Vex();
        else if (op == 0xC3) return Pop() is var to && to == ReturnAddress ? false : throw new MachineFaultException($"returns to {to:x}");
        else if ((op & 0xF8) == 0x50) Push(_registers[low]);
        else if ((op & 0xF8) == 0x58) _registers[low] = Pop();
        else if ((op & 0xF8) == 0xB8 && !wide) _registers[low] = (uint)Int();
        else if (wide && op is 0x03 or 0x3B or 0x8B) Integer(op, rex);
        else if (wide && op == 0x81) Immediate(rex);
        else if (op == 0x0F) Second(rex);
        else throw Unknown(start);
        return true;
    }

    private void Integer(byte op, int rex)
    {
        Operand o = ModRm(rex >> 2 & 1, rex >> 1 & 1, rex & 1, sib: false);
        ulong from = o.Address is { } at ? BinaryPrimitives.ReadUInt64LittleEndian(memory.Read(at, 8)) : _registers[o.Rm];
        ref ulong to = ref _registers[o.Register];
        if (op == 0x3B) _flags = (to < from, to == from);
        else if (op == 0x8B) to = from;
        else
        {
            to += from;
            _flags = null; // nothing looks at an addition's
        }
    }

    private void Immediate(int rex)
    {
        Operand o = ModRm(0, 0, rex & 1, sib: false);
        if (o.Address is not null || o.Register != 0) throw new MachineFaultException($"81 /{o.Register} is not add register, value");
        _registers[o.Rm] += (ulong)(long)Int();
        _flags = null;
    }

    // Two bytes: 0F and another.
    private void Second(int rex)
    {
        int start = _at - 1;
        byte op = Next();
        if (op == 0x18)
        {
            // A prefetch may name any address.
            if (ModRm(0, rex >> 1 & 1, rex & 1, sib: false) is not { Register: 1, Address: not null }) throw Unknown(start);
            return;
        }
        if (op is not (0x82 or 0x86) || rex != 0) throw Unknown(start);
        (bool below, bool equal) = _flags ?? throw new MachineFaultException($"jumps at {start} by flags that no comparison left");
        int distance = Int();
        if (below || (op == 0x86 && equal)) _at += distance;
    }

    // Three-byte VEX: of map 0F38, 128 bits, W 0, all of which the AMX instructions have.
    private void Vex()
    {
        int start = _at - 1;
        int first = Next() ^ 0xE0, second = Next();
        byte op = Next();
        (int prefix, int vvvv) = (second & 3, ~(second >> 3) & 15);
        if ((first & 31) != 2 || (second & 0x84) != 0 || (first & 0x80) != 0) throw Unknown(start);
        Operand o = ModRm(0, first >> 6 & 1, first >> 5 & 1, sib: op == 0x4B);
        if (vvvv != 0 && op != 0x5C) throw Unknown(start);
        switch (op, prefix, o.Address)
        {
            case (0x49, 0, { } at) when o.Register == 0: _tiles.Configure(at); break;
            case (0x49, 0, null) when o is { Register: 0, Rm: 0 }: _tiles.Release(); break;
            case (0x49, 3, null) when o.Rm == 0: _tiles.Zero(o.Register); break;
            case (0x4B, 3, { } at): _tiles.Load(o.Register, at, o.Stride); break;
            case (0x4B, 2, { } at): _tiles.Store(o.Register, at, o.Stride); break;
            case (0x5C, 2, null) when o.Rm < 8 && vvvv < 8: _tiles.Multiply(o.Register, o.Rm, vvvv); break;
            default: throw Unknown(start);
        }
    }

    // Of a tile the second register counts as its stride; others have one register and no second.
    private Operand ModRm(int r, int x, int b, bool sib)
    {
        int modRm = Next(), mod = modRm >> 6, rm = modRm & 7, register = modRm >> 3 & 7 | r << 3;
        if (mod == 3 && sib) throw new MachineFaultException("#UD: a tile in no memory");
        if (mod == 3) return new Operand(register, rm | b << 3, null, 0);
        ulong stride = 0;
        int at = rm | b << 3;
        if (rm == 4)
        {
            int bytes = Next(), index = bytes >> 3 & 7 | x << 3;
            at = bytes & 7 | b << 3;
            if (index != 4) stride = _registers[index] << (bytes >> 6);
            if (index != 4 && !sib) throw new MachineFaultException("an index, which no instruction but a tile's has here");
        }
        else if (sib) throw new MachineFaultException("#UD: a tile's address without its second byte");
        if (mod == 0 && (at & 7) == 5) throw new MachineFaultException("an address without a register");
        long offset = mod switch { 0 => 0, 1 => (sbyte)Next(), _ => Int() };
        return new Operand(register, 0, _registers[at] + (ulong)offset, stride);
    }

    private void Push(ulong value) => _stack[_registers[Rsp] -= 8] = value;

    private ulong Pop()
    {
        if (!_stack.Remove(_registers[Rsp], out ulong value)) throw new MachineFaultException("pops what was not pushed");
        _registers[Rsp] += 8;
        return value;
    }

    private byte Next() => (uint)_at < code.Length ? code[_at++] : throw new MachineFaultException($"runs to {_at}, out of its code");

    private int Int() => Next() | Next() << 8 | Next() << 16 | Next() << 24;

    private MachineFaultException Unknown(int start)
    {
        string bytes = Convert.ToHexString(code.AsSpan(start, Math.Min(10, code.Length - start)));
        return new MachineFaultException($"no instruction that this machine knows at {start}: {bytes}");
    }
}
