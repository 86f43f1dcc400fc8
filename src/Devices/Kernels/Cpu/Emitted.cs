using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Troupe.Devices.Kernels.Cpu;

/// <summary>
/// Dot products of bf16 by the processor's own instruction (VDPBF16PS, AVX512_BF16), which .NET 10 has no name for: two loops of machine
/// code, written into memory once. Twice the products of fp32 a cycle, and no widening (bench/results has what that gave). Each sum takes
/// its products in the order of columns whichever loop makes it, so both agree bit for bit.
/// </summary>
internal static unsafe class Emitted
{
    /// <summary>What a loop is given, and its sums.</summary>
    [StructLayout(LayoutKind.Explicit, Size = SumsAt + 16 * 64)]
    public struct Call
    {
        /// <summary>Four rows of x, of which the loop for one row reads the first.</summary>
        [FieldOffset(0)] public ushort* XA;

        /// <summary>The second.</summary>
        [FieldOffset(8)] public ushort* XB;

        /// <summary>The third.</summary>
        [FieldOffset(16)] public ushort* XC;

        /// <summary>The fourth.</summary>
        [FieldOffset(24)] public ushort* XD;

        /// <summary>Four rows of weights.</summary>
        [FieldOffset(32)] public byte* W0;

        /// <summary>The second.</summary>
        [FieldOffset(40)] public byte* W1;

        /// <summary>The third.</summary>
        [FieldOffset(48)] public byte* W2;

        /// <summary>The fourth.</summary>
        [FieldOffset(56)] public byte* W3;

        /// <summary>Bytes of a row, a multiple of 64.</summary>
        [FieldOffset(64)] public long Bytes;

        /// <summary>What to fetch meanwhile: four times as many bytes.</summary>
        [FieldOffset(72)] public byte* Ahead;

        /// <summary>[row of x, row of w, 16] sums; one row of x: [row of w, 16].</summary>
        [FieldOffset(SumsAt)] public float Sums;
    }

    private const int SumsAt = 128, CodeBytes = 4096;
    private const int ReadWrite = 1 | 2, ReadExecute = 1 | 4, PrivateAnonymous = 2 | 32;

    private static readonly nint s_code = Write();

    /// <summary>Whether this machine has the instruction, and lets us use it.</summary>
    public static bool IsSupported => s_code != 0;

    /// <summary>Four rows of x and four of weights.</summary>
    public static delegate* unmanaged[SuppressGCTransition]<Call*, void> Four =>
        (delegate* unmanaged[SuppressGCTransition]<Call*, void>)s_code;

    /// <summary>One row of x and four of weights.</summary>
    public static delegate* unmanaged[SuppressGCTransition]<Call*, void> One =>
        (delegate* unmanaged[SuppressGCTransition]<Call*, void>)(s_code + CodeBytes / 2);

    private static bool HasInstruction()
    {
        // CPUID leaf 7, subleaf 1: EAX bit 5 (Intel SDM, volume 2). The operating system's support is that for AVX-512, which .NET checked.
        if (!Avx512BW.IsSupported || !OperatingSystem.IsLinux()) return false;
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64) return false;
        return X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;
    }

    private static nint Write()
    {
        if (!HasInstruction()) return 0;
        void* memory = MMap(null, CodeBytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (memory == (void*)-1) return 0;
        new Assembly((byte*)memory).Loop(rows: 4);
        new Assembly((byte*)memory + CodeBytes / 2).Loop(rows: 1);
        // Where memory may not become code, there is none: kernels of .NET's own instructions do the work.
        return MProtect(memory, CodeBytes, ReadExecute) == 0 ? (nint)memory : 0;
    }

    [DllImport("libc", EntryPoint = "mmap", ExactSpelling = true)]
    private static extern void* MMap(void* at, nint bytes, int access, int flags, int file, long offset);

    [DllImport("libc", EntryPoint = "mprotect", ExactSpelling = true)]
    private static extern int MProtect(void* at, nint bytes, int access);

    // Just the instructions of the loops. Encodings: Intel SDM, volume 2, 2.7 (EVEX).
    private ref struct Assembly(byte* at)
    {
        private const int Rax = 0, Rcx = 1, Rdx = 2, Rbx = 3, Rsi = 6, Rdi = 7, R8 = 8, R12 = 12;
        private const int Lines = 4;
        private byte* _at = at;

        /// <summary>System V: the call is in rdi; rbx counts bytes; x: rax, rcx, rdx, rsi; w: r8 to r11; r12: ahead.</summary>
        public void Loop(int rows)
        {
            ReadOnlySpan<int> x = [Rax, Rcx, Rdx, Rsi];
            Bytes(0x53, 0x41, 0x54); // push rbx; push r12
            for (int i = 0; i < 4; i++) Load(x[i], i * 8);
            for (int i = 0; i < 4; i++) Load(R8 + i, 32 + i * 8);
            Load(R12, 72);
            Bytes(0x31, 0xDB); // xor ebx, ebx
            for (int sum = 0; sum < rows * 4; sum++) Registers(1, 1, 0xEF, sum, sum, sum); // vpxord
            byte* top = _at;
            for (int line = 0; line < Lines; line++) Prefetch(line * 64);
            for (int n = 0; n < 4; n++) Indexed(1, 0, 0x10, 16 + n, 0, R8 + n); // vmovups zmm16+n, [w]
            for (int r = 0; r < rows; r++)
            {
                Indexed(1, 0, 0x10, 20, 0, x[r]); // vmovups zmm20, [x]
                for (int n = 0; n < 4; n++) Registers(2, 2, 0x52, r * 4 + n, 20, 16 + n); // vdpbf16ps
            }
            Bytes(0x48, 0x83, 0xC3, 64); // add rbx, 64
            Bytes(0x48, 0x3B, 0x5F, 64); // cmp rbx, [rdi + 64]
            Bytes(0x0F, 0x82); // jb top
            Int((int)(top - (_at + 4)));
            for (int sum = 0; sum < rows * 4; sum++) Store(sum, SumsAt + sum * 64);
            Bytes(0x41, 0x5C, 0x5B, 0xC5, 0xF8, 0x77, 0xC3); // pop r12; pop rbx; vzeroupper; ret
        }

        private void Bytes(params ReadOnlySpan<byte> code)
        {
            foreach (byte b in code) *_at++ = b;
        }

        private void Int(int value)
        {
            *(int*)_at = value;
            _at += sizeof(int);
        }

        // mov register, [rdi + offset]
        private void Load(int register, int offset) =>
            Bytes((byte)(0x48 | (register >> 3 << 2)), 0x8B, (byte)(0x40 | (register & 7) << 3 | Rdi), (byte)offset);

        // prefetcht0 [r12 + 4 rbx + offset]
        private void Prefetch(int offset)
        {
            Bytes(0x41, 0x0F, 0x18, 0x8C, (byte)(2 << 6 | Rbx << 3 | (R12 & 7)));
            Int(offset);
        }

        // op to, from, operand: vectors of 512 bits. map: 1 for 0F, 2 for 0F38; prefix: 0 none, 1 for 66, 2 for F3.
        private void Registers(int map, int prefix, byte op, int to, int from, int operand)
        {
            Evex(map, prefix, to, from, (operand >> 4) & 1, (operand >> 3) & 1);
            Bytes(op, (byte)(0xC0 | (to & 7) << 3 | (operand & 7)));
        }

        // op to, [at + rbx]
        private void Indexed(int map, int prefix, byte op, int to, int from, int at)
        {
            Evex(map, prefix, to, from, 0, at >> 3);
            Bytes(op, (byte)((to & 7) << 3 | 4), (byte)(Rbx << 3 | (at & 7)));
        }

        // vmovups [rdi + offset], register
        private void Store(int register, int offset)
        {
            Evex(1, 0, register, 0, 0, 0);
            Bytes(0x11, (byte)(0x80 | (register & 7) << 3 | Rdi));
            Int(offset);
        }

        // All but map, prefix and width are stored inverted.
        private void Evex(int map, int prefix, int reg, int vvvv, int x, int b) => Bytes(0x62,
            (byte)((~(reg >> 3) & 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | (~(reg >> 4) & 1) << 4 | map),
            (byte)((~vvvv & 15) << 3 | 4 | prefix),
            (byte)(2 << 5 | (~(vvvv >> 4) & 1) << 3));
    }
}
