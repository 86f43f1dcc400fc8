using Troupe.Devices.Tensors;
using Troupe.Model.Checkpoints;
using Troupe.Model.Layers;

namespace Troupe.Model.Families;

/// <summary>
/// Where tensors come from: <see cref="Checkpoint.Get"/>, or random ones. Throws <see cref="ModelException"/> if there is none of this name
/// and shape. The memory outlives the shard.
/// </summary>
public delegate TensorView WeightSource(string name, params ReadOnlySpan<int> shape);

/// <summary>Some of a row of things: every <paramref name="Step"/>-th from <paramref name="First"/> on.</summary>
internal readonly record struct Every(int First, int Step, int Count);

/// <summary>
/// Gets tensors as kernels want them, counts their bytes, and touches their pages, so that the first step finds them in memory; one that
/// only counts does not touch them.
/// </summary>
internal sealed unsafe class WeightReader(WeightSource source, bool touch = true)
{
    private const int PageBytes = 4096, Lanes = 16, SliceRows = 256;

    // What is no product of many outputs, or is read by other kernels: it stays as it is stored.
    private static readonly string[] s_asStored = ["gate", "router", "shared_expert_gate", "kv_b_proj"];

    private readonly WeightMemory _memory = new();
    private readonly List<(Weight To, Weight From)> _unfilled = [];
    private readonly Dictionary<string, TensorView> _asked = new(StringComparer.Ordinal); // whether there were such

    private readonly Dictionary<string, List<Part>> _counted = new(StringComparer.Ordinal); // what of each tensor, in runs

    /// <summary>Bytes of all tensors so far, or of the parts of them that are used; what is read twice counts once.</summary>
    public long Bytes { get; private set; }

    /// <summary>The form that matrices are turned into.</summary>
    public WeightForm Form { get; init; }

    /// <summary>How many threads turn them.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Memory of weights that could not stay as they are stored; whoever computes with them gives it back.</summary>
    public IReadOnlyList<NativeBuffer> Owned => _memory.Blocks;

    /// <summary>Fills, on all threads, the matrices that do not stay as they are stored: nobody may read these before.</summary>
    public void Fill()
    {
        Parallel.ForEach(Slices(), new ParallelOptions { MaxDegreeOfParallelism = Threads }, slice =>
        {
            byte* first = slice.To.Row(slice.First);
            NativeBuffer.Expect(first, slice.To.Row(slice.End - 1) + slice.To.RowBytes - first);
            Panels.Fill(slice.To, slice.From, slice.First, slice.End, Spare);
        });
        _unfilled.Clear();

        byte* Spare(long bytes)
        {
            lock (_unfilled)
            {
                Bytes += bytes;
                return _memory.Take(bytes);
            }
        }
    }

    /// <summary>Says that all weights are there.</summary>
    public void Seal() => _memory.Seal();

    /// <summary>Whether there is a tensor of this name and shape. Only for names that differ from writer to writer.</summary>
    public bool Has(string name, params ReadOnlySpan<int> shape)
    {
        try
        {
            _asked[name] = source(name, shape);
            return true;
        }
        catch (ModelException)
        {
            return false;
        }
    }

    /// <summary>Some rows of one matrix of many that lie in one tensor [count, rows, columns].</summary>
    public Weight Stacked(string name, int count, int rows, int columns, int index, Part part) =>
        Keep(name, Bytes, Hold(Get(name, count, rows, columns), columns, new Part(index * rows + part.First, part.Count),
            new Part(0, columns)));

    /// <summary>
    /// Some outputs of one mxfp4 matrix of many, where they lie: blocks [count, outputs, groups, 16] with two values a byte, and scales
    /// [count, outputs, groups].
    /// </summary>
    public Weight Mxfp4(string name, int count, int outputs, int inputs, int index, Every which)
    {
        int groups = inputs / Elements.Group, blockBytes = Elements.Group / 2;
        TensorView blocks = Bytes8(Get($"{name}_blocks", count, outputs, groups, blockBytes));
        TensorView scales = Bytes8(Get($"{name}_scales", count, outputs, groups));
        var rows = new Part(index * outputs, outputs);
        Bytes += New(blocks.Name, rows) * (long)groups * blockBytes + New(scales.Name, rows) * (long)groups;
        long stride = (long)groups * blockBytes, first = (long)rows.First + which.First;
        byte* data = blocks.Data + first * stride;
        return Touch(new Weight(data, ElementType.MxFp4, which.Count, inputs, stride * which.Step, scales.Data + first * groups,
            (long)groups * which.Step));
    }

    /// <summary>
    /// Some outputs of one matrix of many that is stored with inputs first, [inputs, outputs], as a matrix [outputs, inputs] in memory of
    /// its own.
    /// </summary>
    public Weight Turned(string name, ReadOnlySpan<int> shape, int inputs, int outputs, int index, Every which)
    {
        TensorView view = Get(name, shape);
        (ElementType type, int size) = (TypeOf(view), view.ElementBytes);
        Bytes += New(name, new Part(index * inputs, inputs)) * (long)outputs * size;
        if (!touch) return new Weight(null, type, which.Count, inputs);
        byte* copy = _memory.Take((long)which.Count * inputs * size);
        byte* from = view.Data + ((long)index * inputs * outputs + which.First) * size;
        for (int i = 0; i < inputs; i++)
            for (int o = 0; o < which.Count; o++)
            {
                byte* stored = from + ((long)i * outputs + (long)o * which.Step) * size, to = copy + ((long)o * inputs + i) * size;
                if (size == sizeof(float)) *(uint*)to = *(uint*)stored;
                else *(ushort*)to = *(ushort*)stored;
            }
        return new Weight(copy, type, which.Count, inputs);
    }

    /// <summary>A matrix [outputs, inputs].</summary>
    public Weight Matrix(string name, int outputs, int inputs) => Outputs(name, outputs, inputs, new Part(0, outputs));

    /// <summary>Some outputs of a matrix [outputs, inputs]: whole rows of it.</summary>
    public Weight Outputs(string name, int outputs, int inputs, Part part) =>
        Keep(name, Bytes, Hold(Get(name, outputs, inputs), inputs, part, new Part(0, inputs)));

    /// <summary>Some rows of a matrix that single rows are read of, as it is stored.</summary>
    public Weight Table(string name, int rows, int columns, Part part) =>
        Touch(Hold(Get(name, rows, columns), columns, part, new Part(0, columns)));

    /// <summary>
    /// Some inputs of a matrix [outputs, inputs]: a part of each row, where it lies. Copied, they would follow each other, but be in
    /// memory a second time, and no longer shared with the other ranks of the host.
    /// </summary>
    public Weight Inputs(string name, int outputs, int inputs, Part part) =>
        Keep(name, Bytes, Hold(Get(name, outputs, inputs), inputs, new Part(0, outputs), part));

    /// <summary>A vector, as one row.</summary>
    public Weight Vector(string name, int width) => VectorPart(name, width, new Part(0, width));

    /// <summary>Some values of a vector, as one row.</summary>
    public Weight VectorPart(string name, int width, Part part) =>
        Touch(Hold(Get(name, width), width, new Part(0, 1), part));

    /// <summary>A matrix that must be stored like another one, because one kernel reads both.</summary>
    public Weight MatrixLike(Weight? other, string name, int outputs, int inputs)
    {
        Weight weight = Matrix(name, outputs, inputs);
        if (other is { } like && like.Type != weight.Type)
            throw new ModelException($"tensor {name} is {weight.Type}, wanted {like.Type} as the other experts of its layer");
        return weight;
    }

    /// <summary>A matrix in the form that matrices are kept in, to be made straight from where it is stored.</summary>
    private Weight Keep(string name, long bytesBefore, Weight stored)
    {
        string[] parts = name.Split('.');
        string last = parts[^1] == "weight" ? parts[^2] : parts[^1];
        ElementType type = Form.TypeOf(stored.Type);
        if (stored.Type == type || s_asStored.Contains(last)) return Touch(stored);
        long bytes = Panels.Bytes(type, stored.Rows, stored.Columns);
        Bytes = bytesBefore + bytes;
        if (!touch) return Panels.View(null, type, stored.Rows, stored.Columns);
        Weight kept = Panels.View(_memory.Take(bytes), type, stored.Rows, stored.Columns);
        _unfilled.Add((kept, stored));
        return kept;
    }

    private List<(Weight To, Weight From, int First, int End)> Slices() => [.. _unfilled.SelectMany(pair =>
        Enumerable.Range(0, (pair.To.Rows + SliceRows - 1) / SliceRows).Select(slice =>
            (pair.To, pair.From, slice * SliceRows, Math.Min((slice + 1) * SliceRows, pair.To.Rows))))];

    private TensorView Get(string name, params ReadOnlySpan<int> shape) =>
        _asked.Remove(name, out TensorView? view) && view.Shape.SequenceEqual(shape) ? view : source(name, shape);

    private Weight Hold(TensorView view, int width, Part rows, Part columns)
    {
        if (view.DType == TensorDType.F8E4M3) return HoldFp8(view, rows, columns);
        ElementType type = TypeOf(view);
        long stride = (long)width * type.Size(), bytes = (long)columns.Count * type.Size();
        byte* data = view.Data + rows.First * stride + (long)columns.First * type.Size();
        // A part of a matrix is some rows or some columns, never some of both.
        bool byRows = bytes == stride && view.Shape.Length > 1;
        Bytes += byRows ? New(view.Name, rows) * stride : New(view.Name, columns) * rows.Count * (long)type.Size();
        return new Weight(data, type, rows.Count, columns.Count, stride);
    }

    // Values with the scales of their blocks of 128 x 128, which lie in a tensor of their own.
    private Weight HoldFp8(TensorView view, Part rows, Part columns)
    {
        if (view.Shape.Length != 2) throw new ModelException($"tensor {view.Name} is {view.DType}, wanted BF16, F16 or F32");
        (int all, int width) = (view.Shape[0], view.Shape[1]);
        (int blockRows, int blockColumns) = ((all + Elements.Block - 1) / Elements.Block, (width + Elements.Block - 1) / Elements.Block);
        TensorView scales = Get($"{view.Name}_scale_inv", blockRows, blockColumns);
        if (scales.DType != TensorDType.F32) throw new ModelException($"tensor {scales.Name} is {scales.DType}, wanted F32");
        if (columns.First % Lanes != 0)
        {
            throw new ModelException($"tensor {view.Name} is F8_E4M3, of which a tensor rank takes columns from a multiple of {Lanes} on, "
                + $"got {columns.First}; use fewer tensor ranks");
        }
        bool byRows = columns.Count == width;
        Bytes += byRows ? New(view.Name, rows) * (long)width : New(view.Name, columns) * (long)rows.Count;
        Bytes += New(scales.Name, new Part(0, blockRows)) * (long)blockColumns * sizeof(float);
        byte* data = view.Data + (long)rows.First * width + columns.First;
        return new Weight(view.Data, ElementType.Fp8, all, width, width, scales.Data, (long)blockColumns * sizeof(float))
            .TakeRows(rows.First, rows.Count).TakeColumns(columns.First, columns.Count);
    }

    private static ElementType TypeOf(TensorView view) => view.DType switch
    {
        TensorDType.BF16 => ElementType.BF16,
        TensorDType.F16 => ElementType.F16,
        TensorDType.F32 => ElementType.F32,
        _ => throw new ModelException($"tensor {view.Name} is {view.DType}, wanted BF16, F16 or F32"),
    };

    private static TensorView Bytes8(TensorView view) => view.DType == TensorDType.U8
        ? view
        : throw new ModelException($"tensor {view.Name} is {view.DType}, wanted U8");

    // What stays where it is stored is in memory before the first step asks for it.
    private Weight Touch(Weight weight)
    {
        long row = weight.Type == ElementType.MxFp4 ? weight.Columns / 2 : (long)weight.Columns * weight.Type.Size();
        // Rows that follow each other are one run.
        (int runs, long run) = row == weight.RowBytes ? (1, weight.Rows * row) : (weight.Rows, row);
        for (int i = 0; touch && i < runs; i++)
            for (long at = 0; at < run; at += PageBytes) Volatile.Read(ref weight.Data[i * weight.RowBytes + at]);
        return weight;
    }

    /// <summary>How many rows or columns of a part nobody counted before; counts them.</summary>
    private int New(string name, Part part)
    {
        if (!_counted.TryGetValue(name, out List<Part>? runs)) _counted[name] = runs = [];
        (int first, int end, int before) = (part.First, part.End, 0);
        for (int i = runs.Count - 1; i >= 0; i--)
        {
            Part run = runs[i];
            if (run.First > part.End || part.First > run.End) continue;
            // It overlaps or touches the part: both are one run.
            (first, end, before) = (Math.Min(first, run.First), Math.Max(end, run.End), before + run.Count);
            runs.RemoveAt(i);
        }
        runs.Add(new Part(first, end - first));
        return end - first - before;
    }
}
