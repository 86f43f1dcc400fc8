namespace Troupe.Model.Tokenizer.Patterns;

/// <summary>
/// Makes the table of a scanner: a state is the list of steps that are alive, in the order in which a backtracking engine would try
/// them, so a match ends all behind it (the subset construction, as in RE2).
/// </summary>
internal sealed class ScannerBuilder(PatternProgram program, PatternWork work)
{
    private const int MaxStates = 4096, MaxClasses = 255;

    private readonly List<int[]> _states = [[], [0]];
    private readonly Dictionary<string, int> _known = new(StringComparer.Ordinal) { [""] = 0, [Key([0])] = 1 };
    private readonly bool[] _visited = new bool[program.Steps.Count];
    private readonly Stack<int> _open = new();

    /// <summary>The class of each code point; for each state and class the next state; classes, the text's end counted.</summary>
    public (byte[] Classes, int[] Next, int Width) Build()
    {
        (byte[] classes, bool[][] members) = Classes();
        int count = members.Length;
        var next = new List<int>();
        for (int state = 0; state < _states.Count; state++)
            for (int c = 0; c <= count; c++) next.Add(Step(_states[state], c < count ? members[c] : null));
        return (classes, [.. next], count + 1);
    }

    /// <summary>Code points that no set tells apart are one class. Members: for each class and set, whether it is in it.</summary>
    private (byte[] Classes, bool[][] Members) Classes()
    {
        int[] edges = [.. program.Sets.SelectMany(set => set.Edges).Append(0).Append(CodePointSet.End).Distinct().Order()];
        byte[] classes = new byte[CodePointSet.End];
        var members = new List<bool[]>();
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i + 1 < edges.Length; i++)
        {
            bool[] inside = [.. program.Sets.Select(set => set.Contains(edges[i]))];
            string key = string.Concat(inside.Select(yes => yes ? '1' : '0'));
            if (!known.TryGetValue(key, out int index))
            {
                if (members.Count == MaxClasses) throw new FormatException($"tells more than {MaxClasses} classes of code points apart");
                known.Add(key, index = members.Count);
                members.Add(inside);
            }
            classes.AsSpan(edges[i]..edges[i + 1]).Fill((byte)index);
            work.Spend(program.Sets.Count);
        }
        return (classes, [.. members]);
    }

    /// <summary>The state behind one class of code points, or behind the text's end where that is null.</summary>
    private int Step(int[] state, bool[]? inside)
    {
        Array.Clear(_visited);
        work.Spend(1 + _visited.Length / 16);
        var alive = new List<int>();
        bool matched = false;
        foreach (int start in state)
        {
            _open.Push(start);
            while (!matched && _open.TryPop(out int at))
            {
                if (_visited[at]) continue;
                _visited[at] = true;
                work.Spend(1);
                matched = Visit(at, inside, alive);
            }
            _open.Clear();
            if (matched) break;
        }
        return 2 * Index([.. alive]) + (matched ? 1 : 0);
    }

    private bool Visit(int at, bool[]? inside, List<int> alive)
    {
        (PatternStep step, int a, int b) = program.Steps[at];
        switch (step)
        {
            case PatternStep.Match:
                return true;
            case PatternStep.Take:
                if (inside is not null && inside[a]) alive.Add(at + 1);
                break;
            case PatternStep.Jump:
                _open.Push(a);
                break;
            case PatternStep.Split:
                _open.Push(b);
                _open.Push(a);
                break;
            case PatternStep.Ahead:
                if (inside is not null && inside[a]) _open.Push(at + 1);
                break;
            default:
                if (inside is null || !inside[a]) _open.Push(at + 1);
                break;
        }
        return false;
    }

    private int Index(int[] state)
    {
        string key = Key(state);
        if (_known.TryGetValue(key, out int index)) return index;
        if (_states.Count == MaxStates) throw new FormatException($"takes more than {MaxStates} states");
        _known.Add(key, index = _states.Count);
        _states.Add(state);
        return index;
    }

    private static string Key(int[] state) => string.Concat(state.Select(step => (char)step));
}
