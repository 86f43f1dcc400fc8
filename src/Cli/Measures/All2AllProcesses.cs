using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;
using Troupe.Devices.Fabric;

namespace Troupe.Cli.Measures;

/// <summary>The ranks of a benchmark as children of this process, which pass their descriptors through it.</summary>
internal sealed class All2AllProcesses : IAsyncDisposable
{
    private static readonly TimeSpan s_lastWords = TimeSpan.FromSeconds(3);
    private readonly All2AllWork _work;
    private readonly Child[] _children;
    private readonly Channel<(int Rank, WorkerLine? Line)> _lines = Channel.CreateUnbounded<(int, WorkerLine?)>();
    private readonly string?[] _descriptors;
    private readonly TimeSpan _patience;
    private WorkerLine? _blaming;

    private All2AllProcesses(All2AllWork work)
    {
        _work = work;
        _descriptors = new string?[work.Ranks];
        // A measurement has two loops, and the ranks notice a silent one among them first.
        _patience = TimeSpan.FromMilliseconds(3L * work.DeadlineMs + 10L * work.BudgetMs) + TimeSpan.FromSeconds(30);
        _children = [.. Enumerable.Range(0, work.Ranks).Select(rank => new Child(rank, _lines.Writer))];
    }

    /// <summary>Measures; <paramref name="tally"/> takes what the ranks measured.</summary>
    /// <exception cref="FailedException">A rank failed, died or does not answer: names it.</exception>
    public static async Task RunAsync(All2AllWork work, IAll2AllTally tally, CancellationToken stop)
    {
        await using var processes = new All2AllProcesses(work);
        foreach (Child child in processes._children) child.Order(work);
        int done = 0;
        while (done < work.Ranks)
        {
            (int rank, WorkerLine? line) = await processes.NextAsync(stop);
            if (line is null) throw new FailedException(await processes._children[rank].DescribeEndAsync());
            if (line.Error is { } error && line.Blames is null) throw new FailedException(error);
            if (line.Error is not null) processes._blaming ??= line;
            if (line.Samples is { } samples) tally.Add(samples);
            if (line.Turn is { } turn) tally.Add(turn);
            if (line.Descriptor is { } descriptor) processes.Take(rank, descriptor);
            if (!line.Done) continue;
            processes._children[rank].IsDone = true;
            done++;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (Child child in _children) child.Close();
        bool killed = false;
        using var limit = new CancellationTokenSource(s_lastWords);
        foreach (Child child in _children) killed |= await child.EndAsync(limit.Token);
        // One that was killed may have left a window: looking for a shared host removes those of the dead.
        if (killed && _work.Fabric != FabricKind.Tcp) HostProbe.TryCreate()?.Dispose();
    }

    private async Task<(int Rank, WorkerLine? Line)> NextAsync(CancellationToken stop)
    {
        // A rank that was let down is heard first, but the one that is to blame, or its end, says more.
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(_blaming is null ? _patience : s_lastWords);
        try
        {
            while (true)
            {
                (int Rank, WorkerLine? Line) next = await _lines.Reader.ReadAsync(patience.Token);
                // One that reported its error ends, as one that is done does.
                if (next.Line is null && (_children[next.Rank].IsDone || _children[next.Rank].HasFailed)) continue;
                if (next.Line is { Error: not null }) _children[next.Rank].HasFailed = true;
                return next;
            }
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            if (_blaming is { } line) throw new FailedException(line.Error!);
            IEnumerable<Child> silent = _children.Where(c => !c.IsDone && c.Lines == _children.Min(o => o.Lines));
            throw new FailedException($"{string.Join(", ", silent.Select(c => c.Name))} said nothing for {_patience.TotalSeconds:0} s: "
                + "is it stopped? run again, or with fewer ranks");
        }
    }

    private void Take(int rank, string descriptor)
    {
        _descriptors[rank] = descriptor;
        if (_descriptors.Contains(null)) return;
        var all = new WorkerPeers([.. _descriptors.Select(d => d!)]);
        Array.Clear(_descriptors);
        foreach (Child child in _children) child.Write(JsonSerializer.Serialize(all, All2AllLines.Default.WorkerPeers));
    }

    private sealed class Child
    {
        private readonly Process _process;
        private readonly int _rank;
        private volatile string _lastError = "";

        public Child(int rank, ChannelWriter<(int, WorkerLine?)> lines)
        {
            _rank = rank;
            var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet"
                ? host : "dotnet")
            {
                RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false,
            };
            string program = typeof(CommandLine).Assembly.Location;
            foreach (string argument in (string[])[program, "bench", "all2all", "--worker"]) start.ArgumentList.Add(argument);
            // Code that is called often is compiled for good at once, not after a pause: the warm-up has seen it then.
            start.Environment["DOTNET_TC_CallCountingDelayMs"] = "0";
            _process = new Process { StartInfo = start };
            _process.ErrorDataReceived += (_, line) => _lastError = string.IsNullOrWhiteSpace(line.Data) ? _lastError : line.Data;
            _process.Start();
            _process.BeginErrorReadLine();
            _ = ReadAsync(lines);
        }

        public string Name => $"rank {_rank} (process {_process.Id})";

        public bool IsDone { get; set; }

        public bool HasFailed { get; set; }

        public int Lines { get; private set; }

        public void Order(All2AllWork work) =>
            Write(JsonSerializer.Serialize(new WorkerOrder(_rank, work), All2AllLines.Default.WorkerOrder));

        public void Write(string line)
        {
            try
            {
                _process.StandardInput.WriteLine(line);
                _process.StandardInput.Flush();
            }
            catch (IOException)
            {
                // It ended; its stdout says so.
            }
        }

        public async Task<string> DescribeEndAsync()
        {
            await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(s_lastWords);
            int code = _process.ExitCode;
            // The runtime reports death by a signal as 128 + its number, as shells do.
            string how = code > 128 ? $"was killed by signal {code - 128}" : $"ended with exit code {code}";
            return $"{Name} {how}{(_lastError.Length > 0 ? $": {_lastError}" : "")}";
        }

        public void Close()
        {
            try
            {
                _process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended with a line unread.
            }
        }

        /// <summary>Waits for its end, then ends it; true where that was needed.</summary>
        public async Task<bool> EndAsync(CancellationToken limit)
        {
            bool killed = _process.HasExited && _process.ExitCode > 128;
            try
            {
                await _process.WaitForExitAsync(limit);
            }
            catch (OperationCanceledException)
            {
                killed = true;
                _process.Kill();
                await _process.WaitForExitAsync(CancellationToken.None);
            }
            _process.Dispose();
            return killed;
        }

        private async Task ReadAsync(ChannelWriter<(int, WorkerLine?)> lines)
        {
            while (await _process.StandardOutput.ReadLineAsync() is { } text)
            {
                Lines++;
                lines.TryWrite((_rank, Parse(text)));
            }
            lines.TryWrite((_rank, null));
        }

        private WorkerLine Parse(string text)
        {
            try
            {
                return JsonSerializer.Deserialize(text, All2AllLines.Default.WorkerLine)!;
            }
            catch (JsonException)
            {
                return new WorkerLine(Error: $"{Name} said '{(text.Length <= 80 ? text : text[..80])}' in place of a measurement");
            }
        }
    }
}
