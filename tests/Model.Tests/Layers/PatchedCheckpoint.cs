using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tests.Checkpoints;

namespace Troupe.Model.Tests.Layers;

/// <summary>A copy of a golden's model whose files can be damaged before they are opened.</summary>
internal sealed class PatchedCheckpoint : IDisposable
{
    private readonly TempFolder _folder = new();

    public PatchedCheckpoint(string model)
    {
        foreach (string file in Directory.GetFiles(Golden.Folder(model)))
            File.Copy(file, Path.Combine(_folder.Path, Path.GetFileName(file)));
    }

    public Checkpoint Open() => Checkpoint.Open(_folder.Path);

    /// <summary>Overwrites a tensor's 16-bit values.</summary>
    public void Fill(string tensor, ushort value) => Change(tensor, (file, entry, data) =>
    {
        JsonElement offsets = entry.GetProperty("data_offsets");
        for (int at = data + offsets[0].GetInt32(); at < data + offsets[1].GetInt32(); at += 2)
            BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), value);
    });

    /// <summary>Says that a bf16 tensor is f16.</summary>
    public void CallF16(string tensor) => Change(tensor, (file, entry, _) =>
    {
        string wrong = entry.GetRawText();
        byte[] right = Encoding.UTF8.GetBytes(wrong.Replace("\"BF16\"", "\"F16\" "));
        right.CopyTo(file.AsSpan(file.AsSpan().IndexOf(Encoding.UTF8.GetBytes(wrong))));
    });

    public void Dispose() => _folder.Dispose();

    private void Change(string tensor, Action<byte[], JsonElement, int> change)
    {
        foreach (string path in Directory.GetFiles(_folder.Path, "*.safetensors"))
        {
            byte[] file = File.ReadAllBytes(path);
            int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
            using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
            if (!json.RootElement.TryGetProperty(tensor, out JsonElement entry)) continue;
            change(file, entry, 8 + header);
            File.WriteAllBytes(path, file);
            return;
        }
        throw new ArgumentException($"no tensor {tensor}");
    }
}
