using System.Runtime.InteropServices;

namespace Troupe.Cli;

/// <summary>Ctrl+C, SIGTERM and SIGHUP ask the running verb to stop; a second one ends the process at once.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _registrations;

    /// <summary>Listens from here on.</summary>
    public StopSignals() =>
        _registrations = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(s =>
            PosixSignalRegistration.Create(s, On))];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _stop.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
        _stop.Dispose();
    }

    private void On(PosixSignalContext context)
    {
        if (_stop.IsCancellationRequested) return; // Not cancelled: the default action ends the process.
        context.Cancel = true;
        _stop.Cancel();
    }
}
