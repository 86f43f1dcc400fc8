using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Troupe.Model.Checkpoints;
using Troupe.Testing.Fuzz;

namespace Troupe.Model.Tests.Fuzz;

/// <summary>Small safetensors files: their header damaged as text, as JSON, in its offsets, types and shapes, or in its length.</summary>
internal sealed class HeaderTarget : FuzzTarget, IDisposable
{
    private static readonly string[] s_types =
        ["BF16", "F16", "F32", "F64", "BOOL", "U8", "I8", "I16", "I32", "I64", "U64", "F8_E4M3", "F8_E5M2", "F4"];

    private static readonly JsonMutator s_json = new(["dtype", "shape", "data_offsets", "__metadata__", "a"],
        [.. s_types.Select(type => $"\"{type}\""), "\"F128\"", "\"bf16\"", "[2147483647, 2147483647, 2147483647]",
        "[4294967296, 4294967296]",
            "[0, 9223372036854775807]", "[9223372036854775807, 9223372036854775807]", "[8, 0]", "[-8, 8]", "[0, 1e1]", "[-1, -1]",
            "[1, 2, 3]",
            """{"dtype": "U8", "shape": [], "data_offsets": [0, 1]}"""],
        new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["dtype"] = [.. s_types.Select(type => $"\"{type}\"")],
            ["shape"] = ["[]", "[0]", "[1]", "[2, 2]", "[2147483647, 2147483647, 2147483647, 0]",
            "[0, 2147483647, 2147483647, 2147483647]"],
            ["data_offsets"] = ["[0, 0]", "[0, 1]", "[1, 0]", "[0, 9223372036854775807]", "[-9223372036854775808, 9223372036854775807]",
            "[0, 1, 2]"],
        });

    private const int Mapped = 16;
    private readonly string _folder = Directory.CreateTempSubdirectory("troupe-fuzz-").FullName;

    public override string Kind => "headers";

    public override int Cases => 40_000;

    public override IReadOnlyList<byte[]> Seeds { get; } = [.. Enumerable.Range(0, 16).Select(i => Sound(new Random(i), damage: false))];

    public override bool IsRefusal(Exception e) => e is ModelException;

    // The header's copy, twelve bytes a token of it and their copy, texts of the names and types: all of it in proportion to the file.
    public override long MayAllocate(int inputBytes) => (64 << 10) + 200L * inputBytes;

    public override byte[] Make(Random random)
    {
        byte[] file = Sound(random, damage: random.Next(2) == 0);
        byte[] other = Seeds[random.Next(Seeds.Count)];
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        if (random.Next(3) > 0)
        {
            byte[] json = s_json.Mutate(file[8..(8 + header)], other[8..], random);
            file = File(json, file.Length - 8 - header);
        }
        if (random.Next(8) == 0) file = ByteMutator.Mutate(file, other, random);
        if (random.Next(8) == 0 && file.Length >= 8) Length(file, random);
        return file;
    }

    public override void Use(byte[] input, Random random)
    {
        long data = input.Length - SafetensorsHeader.DataStart("model.safetensors", input.AsSpan(0, Math.Min(8, input.Length)),
            input.Length);
        List<TensorEntry> entries = SafetensorsHeader.Parse("model.safetensors", input.AsMemory(8, (int)(input.Length - 8 - data)), data);
        foreach (TensorEntry entry in entries)
            Check(entry.Begin >= 0 && entry.Begin <= entry.End && entry.End <= data, "a tensor lies outside of the file");
        long covered = entries.Sum(entry => entry.End - entry.Begin);
        Check(covered == data, $"tensors cover another part of the file than all: {covered} of {data} bytes");
        // Mapping a file takes longer than all else, so only some go that way.
        if (random.Next(Mapped) == 0) Map(input, entries);
    }

    private void Map(byte[] input, List<TensorEntry> entries)
    {
        string path = Path.Combine(_folder, "model.safetensors");
        System.IO.File.WriteAllBytes(path, input);
        using var file = SafetensorsFile.Open(path);
        Check(file.Names.Count == entries.Count, "the file has other tensors than its header");
        foreach (TensorEntry entry in entries) Touch(file, entry);
    }

    public void Dispose()
    {
        Check(!System.IO.File.ReadAllText("/proc/self/maps").Contains(_folder, StringComparison.Ordinal), "a file is still mapped");
        Directory.Delete(_folder, recursive: true);
    }

    private static unsafe void Touch(SafetensorsFile file, TensorEntry entry)
    {
        if (entry.DType is not ("BF16" or "F16" or "F32" or "F8_E4M3" or "U8")) return;
        TensorView view = file.Get(entry.Name);
        Check(view.ByteCount == entry.End - entry.Begin, "a view has another size than its tensor");
        if (view.ByteCount == 0) return;
        Check(view.Data[0] + view.Data[view.ByteCount - 1] >= 0, "");
        if (view.DType is TensorDType.BF16 or TensorDType.F16 or TensorDType.F32) view.CopyTo(new float[1], view.Elements - 1);
        if (view.Shape.Length > 0) Check(view.Rows(view.Shape[0] - 1, 1).ByteCount == view.ByteCount / view.Shape[0],
            "a row has another size");
    }

    /// <summary>A file of some tensors; damaged: one of them says what cannot be.</summary>
    private static byte[] Sound(Random random, bool damage)
    {
        int count = random.Next(0, 7), at = 0, bad = damage ? random.Next(Math.Max(1, count)) : -1;
        var json = new StringBuilder("{");
        if (random.Next(3) == 0) json.Append(""" "__metadata__": {"format": "pt"}""");
        for (int i = 0; i < count; i++)
        {
            string type = s_types[random.Next(s_types.Length)];
            int bits = type is "F4" ? 4 : type[^2..] is "16" ? 16 : type[^2..] is "32" ? 32 : type[^2..] is "64" ? 64 : 8;
            int[] shape = [.. Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(5))];
            long size = shape.Aggregate(1L, (product, length) => product * length) * bits;
            if (size % 8 != 0) (type, size) = ("U8", size / bits * 8);
            (long begin, long end) = (at, at + size / 8);
            at = (int)end;
            string shown = string.Join(", ", shape);
            if (i == bad) Damage(random, ref type, ref shown, ref begin, ref end);
            json.Append(json.Length > 1 ? ", " : "").Append(CultureInfo.InvariantCulture,
                $"\"model.layers.{i}.w\": {{\"dtype\": \"{type}\", \"shape\": [{shown}], \"data_offsets\": [{begin}, {end}]}}");
        }
        return File(Encoding.UTF8.GetBytes(json.Append('}').ToString()), at);
    }

    private static void Damage(Random random, ref string type, ref string shape, ref long begin, ref long end)
    {
        switch (random.Next(9))
        {
            case 0: begin -= random.Next(1, 9); break;
            case 1: begin += random.Next(1, 9); break;
            case 2: end += random.Next(1, 1 << random.Next(1, 31)); break;
            case 3: end = long.MaxValue - random.Next(3); break;
            case 4: (begin, end) = (end, begin); break;
            case 5: (begin, end) = (long.MaxValue, long.MinValue); break;
            case 6: type = "F" + random.Next(200); break;
            case 7: shape = string.Join(", ", Enumerable.Repeat("2147483647", random.Next(1, 9))) + (random.Next(2) == 0 ? ", 0"
                : ""); break;
            default: shape = string.Join(", ", Enumerable.Repeat(random.Next(-1, 2), random.Next(1, 300))); break;
        }
    }

    private static void Length(byte[] file, Random random)
    {
        long length = BinaryPrimitives.ReadInt64LittleEndian(file);
        length = random.Next(6) switch
        {
            0 => length + random.Next(-9, 10),
            1 => long.MaxValue - random.Next(9),
            2 => -1 - random.Next(9),
            3 => 0,
            4 => 100_000_000 + random.Next(-1, 2),
            _ => random.NextInt64(),
        };
        BinaryPrimitives.WriteInt64LittleEndian(file, length);
    }

    private static byte[] File(byte[] header, int dataBytes)
    {
        byte[] file = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, 8);
        return file;
    }
}
