using System.Collections.Concurrent;
using System.Diagnostics;

namespace Troupe.Actors.Hosting;

/// <summary>
/// A rank's process, child of the control node. It reads its configuration from stdin, logs to stderr, and ends with its lifeline.
/// </summary>
public sealed class RankProcess : IDisposable
{
    private const int KeptLines = 20;
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lastLines = new();
    private readonly Action<string> _log;

    /// <summary>
    /// Starts <c>dotnet PROGRAM node -c -</c>; <paramref name="exited"/> is called when it ends, with the process id and how it ended.
    /// </summary>
    public RankProcess(string program, string hocon, string name, Action<string> log, Action<int, string> exited)
    {
        _log = log;
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host
            : "dotnet")
        {
            RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false,
        };
        foreach (string argument in (string[])[program, "node", "-c", "-"]) start.ArgumentList.Add(argument);
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Keep(name, line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(name, line.Data);
        _process.Exited += (_, _) => _ = ReportAsync(exited);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        try
        {
            _process.StandardInput.Write(hocon);
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended before it read its configuration; Exited says how.
        }
    }

    /// <summary>The process id.</summary>
    public int Pid => _process.Id;

    /// <summary>Waits until the process has ended.</summary>
    public Task WaitAsync(CancellationToken cancel) => _process.WaitForExitAsync(cancel);

    /// <summary>Ends the process at once, if it still runs.</summary>
    public void Kill()
    {
        try
        {
            if (!_process.HasExited) _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It ended between the question and the act.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    private void Keep(string name, string? line)
    {
        if (line is null) return;
        _lastLines.Enqueue(line);
        while (_lastLines.Count > KeptLines) _lastLines.TryDequeue(out _);
        _log($"{name}: {line}");
    }

    /// <summary>Its last line says why it ended, and may come a moment after its end.</summary>
    private async Task ReportAsync(Action<int, string> exited)
    {
        using var patience = new CancellationTokenSource(LastWords);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
            exited(_process.Id, Describe());
        }
        catch (OperationCanceledException)
        {
            exited(_process.Id, Describe()); // A child of its own may hold its streams open.
        }
        catch (InvalidOperationException)
        {
            // Disposed: nobody asks any more.
        }
    }

    private string Describe()
    {
        int code = _process.ExitCode;
        // The runtime reports death by a signal as 128 + its number, as shells do.
        string how = code > 128 ? $"was killed by signal {code - 128}" : $"ended with exit code {code}";
        string last = _lastLines.LastOrDefault(line => line.Trim().Length > 0) ?? "";
        return code is > 0 and <= 128 && last.Length > 0 ? $"{how}: {last}" : how;
    }
}
