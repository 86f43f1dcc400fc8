using Troupe.Cli.Measures;
using Troupe.Devices.Fabric;

namespace Troupe.Cli.Output;

/// <summary>How far a benchmark is: one line that is written over at a terminal, a line each where logs are wanted, else nothing.</summary>
internal sealed class All2AllProgress(Shell shell, int measurements, bool verbose)
{
    private readonly Lock _gate = new();
    private int _done, _shown;

    /// <summary>Something was measured by all ranks.</summary>
    /// <param name="work">In which world.</param>
    /// <param name="what">A strategy, or auto for a turn of the router.</param>
    /// <param name="index">At which case.</param>
    /// <param name="round">In which round.</param>
    /// <param name="totalUs">The median of its total.</param>
    public void Say(All2AllWork work, string what, int index, int round, double totalUs)
    {
        lock (_gate)
        {
            string line = FormattableString.Invariant($"{++_done}/{measurements} round {round + 1}, {work.Ranks} ranks, ")
                + $"{Fabrics.NameOf(work.Fabric)}, {work.Cases[index]}: {what} " + FormattableString.Invariant($"{totalUs:0.0} us");
            if (verbose) shell.Error.WriteLine(line);
            else if (shell.ErrorIsTerminal) Show(line.Length < shell.Width ? line : line[..(shell.Width - 1)]);
        }
    }

    /// <summary>Takes the line away.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            if (_shown > 0) Show("");
        }
    }

    private void Show(string line)
    {
        shell.Error.Write($"\r{line.PadRight(_shown)}\r{line}");
        _shown = line.Length;
    }
}
