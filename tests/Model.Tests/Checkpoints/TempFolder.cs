using System.Buffers.Binary;
using System.Text;

namespace Troupe.Model.Tests.Checkpoints;

/// <summary>A folder of its own for one test, with what it takes to write sound and broken models into it.</summary>
public sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("troupe-model-").FullName;

    public string Write(string name, byte[] bytes)
    {
        string path = System.IO.Path.Combine(Path, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    /// <summary>A safetensors file of this header and so many bytes of data, byte i holding i.</summary>
    public string WriteTensors(string name, string header, int dataBytes) => Write(name, Tensors(header, dataBytes));

    public static byte[] Tensors(string header, int dataBytes)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        json.CopyTo(file, 8);
        for (int i = 0; i < dataBytes; i++) file[8 + json.Length + i] = (byte)i;
        return file;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
