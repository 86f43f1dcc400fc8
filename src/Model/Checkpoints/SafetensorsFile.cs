using System.IO.MemoryMappedFiles;

namespace Troupe.Model.Checkpoints;

/// <summary>One safetensors file, mapped read-only for as long as this object lives. Its header is checked when it opens.</summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly Dictionary<string, TensorEntry> _entries = new(StringComparer.Ordinal);
    private readonly byte* _data;
    private bool _disposed;

    private SafetensorsFile(string path)
    {
        Path = path;
        FileBytes = ModelFiles.Length(path);
        // An empty file cannot be mapped: say so as for any other short file.
        if (FileBytes == 0) SafetensorsHeader.DataStart(path, [], 0);
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, mapName: null, 0, MemoryMappedFileAccess.Read);
        byte* start = null;
        try
        {
            _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            long dataStart = SafetensorsHeader.DataStart(path, new ReadOnlySpan<byte>(start, (int)Math.Min(8, FileBytes)), FileBytes);
            byte[] header = new ReadOnlySpan<byte>(start + 8, (int)(dataStart - 8)).ToArray();
            foreach (TensorEntry entry in SafetensorsHeader.Parse(path, header, FileBytes - dataStart)) _entries.Add(entry.Name, entry);
            _data = start + dataStart;
        }
        catch
        {
            Release(start != null);
            throw;
        }
    }

    /// <summary>Where the file lies.</summary>
    public string Path { get; }

    /// <summary>The file's size.</summary>
    public long FileBytes { get; }

    /// <summary>The names of its tensors.</summary>
    public IReadOnlyCollection<string> Names => _entries.Keys;

    /// <summary>Maps a file and checks its header.</summary>
    /// <exception cref="ModelException">No such file, or it cannot be read, or it is damaged; the message names the tensor.</exception>
    public static SafetensorsFile Open(string path) => File.Exists(path)
        ? ModelFiles.Guard(path, () => new SafetensorsFile(path))
        : throw new ModelException($"no file {path}; is the model fully downloaded?");

    /// <summary>The tensor's view.</summary>
    /// <exception cref="ModelException">The file has no such tensor, or its type is not one that can be read.</exception>
    public TensorView Get(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_entries.TryGetValue(name, out TensorEntry? entry)) throw new ModelException($"{Path}: no tensor {name}");
        TensorDType dtype = entry.DType switch
        {
            "BF16" => TensorDType.BF16,
            "F16" => TensorDType.F16,
            "F32" => TensorDType.F32,
            "F8_E4M3" => TensorDType.F8E4M3,
            "U8" => TensorDType.U8,
            _ => throw new ModelException($"{Path}: tensor {name} has dtype {entry.DType}; supported: BF16, F16, F32, F8_E4M3, U8"),
        };
        return new TensorView(name, dtype, entry.Shape, _data + entry.Begin);
    }

    /// <summary>Unmaps the file; every view of it becomes invalid.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        Release(acquired: true);
    }

    internal TensorEntry? Entry(string name) => _entries.GetValueOrDefault(name);

    private void Release(bool acquired)
    {
        if (acquired) _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view?.Dispose();
        _file.Dispose();
    }
}
