namespace Troupe.Model.Tokenizer.Patterns;

/// <summary>What one step of a <see cref="PatternProgram"/> does.</summary>
internal enum PatternStep : byte
{
    /// <summary>Takes one code point of set A.</summary>
    Take,

    /// <summary>Goes on at A, and if that leads nowhere at B.</summary>
    Split,

    /// <summary>Goes on at A.</summary>
    Jump,

    /// <summary>Goes on where the next code point is in set A.</summary>
    Ahead,

    /// <summary>Goes on where it is not.</summary>
    NotAhead,

    /// <summary>The pattern has matched.</summary>
    Match,
}

/// <summary>A pattern as steps of a machine that tries alternatives in order (Thompson 1968; Pike's order of threads).</summary>
internal sealed class PatternProgram
{
    /// <summary>The most steps that a pattern may take.</summary>
    public const int MaxSteps = 4096;

    private readonly List<(PatternStep Step, int A, int B)> _steps = [];
    private readonly List<CodePointSet> _sets = [];

    private int _written;

    private PatternProgram() { }

    /// <summary>The steps; the first one is the start.</summary>
    public IReadOnlyList<(PatternStep Step, int A, int B)> Steps => _steps;

    /// <summary>The sets that steps name.</summary>
    public IReadOnlyList<CodePointSet> Sets => _sets;

    /// <summary>The steps of a tree.</summary>
    /// <exception cref="FormatException">There would be too many.</exception>
    public static PatternProgram Compile(PatternNode node)
    {
        var program = new PatternProgram();
        program.Write(node);
        program.Add(PatternStep.Match);
        return program;
    }

    private void Write(PatternNode node)
    {
        // What is empty takes no steps, however often it is repeated; it takes time.
        if (++_written > 4 * MaxSteps) throw new FormatException($"repeats its parts more than {4 * MaxSteps} times");
        switch (node)
        {
            case PatternNode.One one:
                Add(PatternStep.Take, Set(one.Set));
                break;
            case PatternNode.Ahead ahead:
                Add(ahead.Negated ? PatternStep.NotAhead : PatternStep.Ahead, Set(ahead.Set));
                break;
            case PatternNode.Sequence sequence:
                foreach (PatternNode part in sequence.Parts) Write(part);
                break;
            case PatternNode.Choice choice:
                WriteChoice(choice.Parts);
                break;
            case PatternNode.Repeat repeat:
                WriteRepeat(repeat);
                break;
        }
    }

    private void WriteChoice(IReadOnlyList<PatternNode> parts)
    {
        var ends = new List<int>();
        for (int i = 0; i < parts.Count; i++)
        {
            int split = i + 1 < parts.Count ? Add(PatternStep.Split, _steps.Count + 1) : -1;
            Write(parts[i]);
            if (split < 0) continue;
            ends.Add(Add(PatternStep.Jump));
            _steps[split] = _steps[split] with { B = _steps.Count };
        }
        foreach (int end in ends) _steps[end] = _steps[end] with { A = _steps.Count };
    }

    private void WriteRepeat(PatternNode.Repeat repeat)
    {
        for (int i = 0; i < repeat.Min; i++) Write(repeat.Part);
        if (repeat.Max is not { } max)
        {
            int loop = Add(PatternStep.Split, _steps.Count + 1);
            Write(repeat.Part);
            Add(PatternStep.Jump, loop);
            _steps[loop] = _steps[loop] with { B = _steps.Count };
            return;
        }
        var splits = new List<int>();
        for (int i = repeat.Min; i < max; i++)
        {
            splits.Add(Add(PatternStep.Split, _steps.Count + 1));
            Write(repeat.Part);
        }
        foreach (int split in splits) _steps[split] = _steps[split] with { B = _steps.Count };
    }

    private int Add(PatternStep step, int a = 0)
    {
        if (_steps.Count == MaxSteps) throw new FormatException($"takes more than {MaxSteps} steps");
        _steps.Add((step, a, 0));
        return _steps.Count - 1;
    }

    private int Set(CodePointSet set)
    {
        int known = _sets.FindIndex(other => other.Edges.AsSpan().SequenceEqual(set.Edges));
        if (known >= 0) return known;
        _sets.Add(set);
        return _sets.Count - 1;
    }
}
