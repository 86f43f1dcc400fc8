using Troupe.Cli.Measures;
using Troupe.Devices.All2All;
using Troupe.Devices.Fabric;

namespace Troupe.Cli.Output;

/// <summary>How far a benchmark is: one line that is written over at a terminal, a line each where logs are wanted, else nothing.</summary>
internal sealed class All2AllProgress(Shell shell, int measurements, bool verbose)
{
    private readonly Lock _gate = new();
    private int _done, _shown;

    /// <summary>Something was measured by all ranks.</summary>
    public void Say(All2AllWork work, All2AllSamples samples, double totalUs)
    {
        lock (_gate)
        {
            string line = FormattableString.Invariant($"{++_done}/{measurements} round {samples.Round + 1}, {work.Ranks} ranks, ")
                + $"{Fabrics.NameOf(work.Fabric)}, {work.Cases[samples.Case]}: {Strategies.NameOf(samples.Strategy)} "
                + FormattableString.Invariant($"{totalUs:0.0} us");
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
