using System.Buffers.Binary;
using System.Text.Json;

namespace Troupe.Model.Checkpoints;

/// <summary>What the header says of one tensor: bytes [Begin, End) of the file's data section.</summary>
internal sealed record TensorEntry(string Name, string DType, int[] Shape, long Begin, long End);

/// <summary>
/// The header of a safetensors file (https://github.com/huggingface/safetensors, "Format"): 8 bytes little-endian length N, N bytes of
/// JSON {name: {dtype, shape, data_offsets}}, then the data, which the tensors must cover without hole or overlap.
/// </summary>
internal static class SafetensorsHeader
{
    private const int LengthBytes = 8;
    private const long MaxHeaderBytes = 100_000_000;

    private static readonly (string Name, int Bits)[] Types =
    [
        ("BF16", 16), ("F16", 16), ("F32", 32), ("F64", 64), ("BOOL", 8), ("U8", 8), ("I8", 8), ("I16", 16), ("U16", 16), ("I32", 32),
        ("U32", 32), ("I64", 64), ("U64", 64), ("C64", 64), ("F8_E4M3", 8), ("F8_E5M2", 8), ("F8_E8M0", 8), ("F4", 4),
    ];

    /// <summary>Where the data begins, from the first 8 bytes.</summary>
    public static long DataStart(string path, ReadOnlySpan<byte> start, long fileBytes)
    {
        if (start.Length < LengthBytes)
            throw new ModelException($"{path}: {fileBytes} bytes; a safetensors file has at least {LengthBytes}");
        ulong header = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (header > (ulong)MaxHeaderBytes)
            throw new ModelException($"{path}: a header of {header} bytes is more than {MaxHeaderBytes}; is it a safetensors file?");
        if ((long)header > fileBytes - LengthBytes)
            throw new ModelException(
                $"{path}: the header has {header} bytes, but the file ends after {fileBytes - LengthBytes} of them; truncated?");
        return LengthBytes + (long)header;
    }

    /// <summary>All tensors in the order of their offsets, checked against the size of the data section.</summary>
    public static List<TensorEntry> Parse(string path, ReadOnlyMemory<byte> header, long dataBytes)
    {
        var entries = new List<TensorEntry>();
        foreach (JsonProperty property in ModelFiles.Object(path, header).EnumerateObject())
            if (property.Name != "__metadata__") entries.Add(Entry(path, property, dataBytes));
        entries.Sort((a, b) => (a.Begin, a.End, a.Name).CompareTo((b.Begin, b.End, b.Name)));
        long at = 0;
        string last = "";
        foreach (TensorEntry entry in entries)
        {
            if (entry.Begin < at)
                throw new ModelException($"{path}: tensor {entry.Name} begins at {entry.Begin} and overlaps {last}, which ends at {at}");
            if (entry.Begin > at)
                throw new ModelException(
                    $"{path}: tensor {entry.Name} begins at {entry.Begin}, but {at} is the next byte of data: a hole is not allowed");
            (at, last) = (entry.End, entry.Name);
        }
        if (at != dataBytes)
            throw new ModelException(
                $"{path}: the tensors end at byte {at} of the data, but the file has {dataBytes} bytes of data; damaged?");
        return entries;
    }

    private static TensorEntry Entry(string path, JsonProperty property, long dataBytes)
    {
        string at = $"{path}: tensor {property.Name}:";
        JsonElement value = property.Value;
        if (value.ValueKind != JsonValueKind.Object) throw new ModelException($"{at} an object is wanted, got {ModelFiles.Kind(value)}");
        var reader = new ConfigReader(path, value, $"tensor {property.Name}: ");
        string dtype = reader.Text("dtype") ?? throw new ModelException($"{at} dtype is missing");
        if (!Types.Any(type => type.Name == dtype))
            throw new ModelException($"{at} unknown dtype {dtype}; known: {string.Join(", ", Types.Select(type => type.Name))}");
        if (!reader.Has("shape")) throw new ModelException($"{at} shape is missing");
        int[] shape = reader.Ints(0, int.MaxValue, single: false, "shape");
        (long begin, long end) = Offsets(at, value);
        if (end > dataBytes)
            throw new ModelException(
                $"{at} ends at byte {end} of the data, but the file has {dataBytes} bytes of data; truncated?");
        Int128 bits = Types.First(type => type.Name == dtype).Bits;
        foreach (int size in shape)
            if ((bits *= size) > long.MaxValue) throw new ModelException($"{at} shape {TensorView.Describe(shape)} is too large");
        if (bits != (Int128)(end - begin) * 8)
            throw new ModelException(
                $"{at} {dtype} {TensorView.Describe(shape)} takes {bits / 8} bytes, but data_offsets give {end - begin}");
        return new TensorEntry(property.Name, dtype, shape, begin, end);
    }

    private static (long, long) Offsets(string at, JsonElement value)
    {
        if (value.TryGetProperty("data_offsets", out JsonElement offsets)
            && offsets.ValueKind == JsonValueKind.Array && offsets.GetArrayLength() == 2
            && offsets[0].ValueKind == JsonValueKind.Number && offsets[1].ValueKind == JsonValueKind.Number
            && offsets[0].TryGetInt64(out long begin) && offsets[1].TryGetInt64(out long end) && begin >= 0 && begin <= end)
            return (begin, end);
        string got = offsets.ValueKind == JsonValueKind.Array ? offsets.GetRawText() : ModelFiles.Kind(offsets);
        throw new ModelException($"{at} data_offsets must be [begin, end] with 0 <= begin <= end, got {got}");
    }
}
