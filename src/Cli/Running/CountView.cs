using Troupe.Cli.Output;

namespace Troupe.Cli.Running;

/// <summary>Counts requests that have ended, on one line of stderr that is written over; nothing where stderr is no terminal.</summary>
internal sealed class CountView(Shell shell, string what, int total) : IDisposable
{
    private int _done;

    /// <summary>Takes in what happened to a request.</summary>
    public void On(BatchEvent happened)
    {
        if (happened.Reason is null) return;
        _done++;
        if (shell.ErrorIsTerminal) shell.Error.Write($"\r{_done} of {total} {what} ");
    }

    /// <summary>Takes the line away.</summary>
    public void Dispose()
    {
        if (shell.ErrorIsTerminal && _done > 0) shell.Error.Write($"\r{new string(' ', shell.Width - 1)}\r");
    }
}
