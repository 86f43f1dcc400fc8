using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Troupe.Testing.Fuzz;

/// <summary>
/// Runs the cases of a target, each from (seed, kind, case) alone, on a thread of its own: a case that hangs is named instead of
/// hanging the
/// test, and a small stack finds recursion that depends on the input. TROUPE_FUZZ: cases of all kinds together, in place of the suite's
/// 100,000; TROUPE_SEED: another seed; TROUPE_FUZZ_CASE=kind:number: one case only. A summary is left in artifacts/fuzz.
/// </summary>
public sealed class FuzzRun
{
    /// <summary>Cases of all kinds together in the test suite.</summary>
    public const int SuiteCases = 100_000;

    private const int StackBytes = 1 << 20, MostFailures = 8, MostMessage = 2100, ShrinkTries = 400;
    private static readonly TimeSpan s_caseLimit = TimeSpan.FromSeconds(100);

    private readonly FuzzTarget _target;
    private readonly Dictionary<string, string> _failures = new(StringComparer.Ordinal);
    private readonly string _folder = Repository.At("artifacts", "fuzz");
    private long _case = -1, _started;
    private int _loaded, _refused;
    private long _mostAllocated;

    private FuzzRun(FuzzTarget target) => _target = target;

    /// <summary>Runs the target's cases; fails with the first few different problems, each with how to repeat it.</summary>
    public static void Of(FuzzTarget target) => new FuzzRun(target).Run();

    private void Run()
    {
        Exception? died = null;
        var thread = new Thread(() =>
        {
            try
            {
                Cases();
            }
            catch (Exception e)
            {
                died = e;
            }
        }, StackBytes) { IsBackground = true, Name = $"fuzz {_target.Kind}" };
        thread.Start();
        while (!thread.Join(TimeSpan.FromSeconds(1)))
        {
            long at = Volatile.Read(ref _case), started = Volatile.Read(ref _started);
            if (started == 0 || TimeProvider.System.GetElapsedTime(started) < s_caseLimit || at != Volatile.Read(ref _case)) continue;
            throw new FuzzFailureException(Report(at, _target.Make(Generator(at)), $"takes more than {s_caseLimit.TotalSeconds:F0} s"));
        }
        if (died is not null) throw new FuzzFailureException($"{_target.Kind}: {died.Message}", died);
        if (_failures.Count > 0) throw new FuzzFailureException(string.Join("\n\n", _failures.Values));
    }

    private void Cases()
    {
        WarmUp();
        (long first, long end) = Range();
        long began = TimeProvider.System.GetTimestamp();
        // Where a crash of the whole process leaves the number of its case behind.
        Directory.CreateDirectory(_folder);
        string note = Path.Combine(_folder, $"{_target.Kind}.case");
        using (var at = File.OpenHandle(note, FileMode.Create, FileAccess.Write))
            for (long number = first; number < end && _failures.Count < MostFailures; number++)
            {
                RandomAccess.Write(at, Encoding.ASCII.GetBytes(number.ToString("D12", CultureInfo.InvariantCulture)), 0);
                One(number);
            }
        File.Delete(note);
        string summary = string.Create(CultureInfo.InvariantCulture,
            $"fuzz {_target.Kind}: seed {Seed.Value}, {end - first} cases, {_loaded} loaded, "
            + $"{_refused} refused, {_mostAllocated / 1024} KiB allocated at most, "
            + $"{TimeProvider.System.GetElapsedTime(began).TotalSeconds:F1} s");
        Console.Error.WriteLine(summary);
        // Test hosts swallow what is written: ./troupe test --fuzz shows this file.
        if (end - first > 1) File.WriteAllText(Path.Combine(_folder, $"{_target.Kind}.txt"), summary + '\n');
    }

    // What is made once and kept does not count for a case.
    private void WarmUp()
    {
        foreach (byte[] seed in _target.Seeds)
        {
            try
            {
                _target.Use(seed, new Random(1));
            }
            catch (Exception e) when (!_target.SeedsLoad && _target.IsRefusal(e))
            {
                continue;
            }
        }
    }

    private (long First, long End) Range()
    {
        string[] one = Environment.GetEnvironmentVariable("TROUPE_FUZZ_CASE")?.Split(':') ?? [];
        if (one.Length == 2)
            return one[0] == _target.Kind && long.TryParse(one[1], CultureInfo.InvariantCulture, out long number)
                ? (number, number + 1) : (0, 0);
        return long.TryParse(Environment.GetEnvironmentVariable("TROUPE_FUZZ"), CultureInfo.InvariantCulture, out long all)
            ? (0, (long)((Int128)all * _target.Cases / SuiteCases)) : (0, _target.Cases);
    }

    private void One(long number)
    {
        Volatile.Write(ref _case, number);
        Volatile.Write(ref _started, TimeProvider.System.GetTimestamp());
        byte[] input = _target.Make(Generator(number));
        (string Key, string What)? problem = Problem(input, number, out bool loaded);
        if (loaded) _loaded++;
        else _refused++;
        Volatile.Write(ref _started, 0);
        if (problem is not var (key, what) || _failures.ContainsKey(key)) return;
        _failures.Add(key, Report(number, Shrunk(input, number, key), what));
        Console.Error.WriteLine(_failures[key]);
    }

    /// <summary>What is wrong with how an input is taken, and where; null if nothing is.</summary>
    private (string Key, string What)? Problem(byte[] input, long number, out bool loaded)
    {
        loaded = false;
        var random = new Random(Mixed(number) ^ 0x5EED);
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            _target.Use(input, random);
            loaded = true;
        }
        catch (FuzzFailureException e)
        {
            return (e.Message.Split(':')[0], e.Message);
        }
        catch (Exception e) when (_target.IsRefusal(e))
        {
            if (string.IsNullOrWhiteSpace(e.Message) || e.Message.Any(char.IsControl))
                return ($"line {e.TargetSite}", $"is refused with other than one line of text: {Shown(e)}");
            if (e.Message.Length > MostMessage) return ($"long {e.TargetSite}",
                $"is refused with {e.Message.Length} characters: {Shown(e)}");
        }
        catch (Exception e)
        {
            string place = e.StackTrace?.Split('\n').FirstOrDefault(line => line.Contains("Troupe.", StringComparison.Ordinal)) ?? "";
            return ($"{e.GetType().Name}{place}", $"ends in {Shown(e)}");
        }
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        _mostAllocated = Math.Max(_mostAllocated, allocated);
        return allocated <= _target.MayAllocate(input.Length) ? null
            : ("allocates", $"allocates {allocated} bytes for an input of {input.Length}, at most "
                + $"{_target.MayAllocate(input.Length)} are allowed");
    }

    private static string Shown(Exception e) =>
        $"{e.GetType().Name}: {(e.Message.Length <= 300 ? e.Message : e.Message[..300] + "...")}\n"
            + $"{string.Join('\n', e.StackTrace?.Split('\n').Take(8) ?? [])}";

    /// <summary>A smaller input with the same problem: stretches are left out, ever shorter ones.</summary>
    private byte[] Shrunk(byte[] input, long number, string key)
    {
        int tries = 0;
        for (int length = input.Length / 2; length > 0; length /= 2)
            for (int at = 0; at + length <= input.Length && tries < ShrinkTries;)
            {
                byte[] less = [.. input.AsSpan(0, at), .. input.AsSpan(at + length)];
                tries++;
                Volatile.Write(ref _started, TimeProvider.System.GetTimestamp());
                if (Problem(less, number, out _) is var (same, _) && same == key) input = less;
                else at += length;
            }
        return input;
    }

    private string Report(long number, byte[] input, string what)
    {
        string file = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{_target.Kind}-{Seed.Value}-{number}"));
        File.WriteAllBytes(file, input);
        string shown = new([.. Encoding.UTF8.GetString(input.AsSpan(0, Math.Min(400, input.Length))).Select(c => char.IsControl(c) ? ' '
            : c)]);
        return string.Create(CultureInfo.InvariantCulture, $"fuzz {_target.Kind}, seed {Seed.Value}, case {number}: {what}\n"
            + $"repeat: TROUPE_SEED={Seed.Value} TROUPE_FUZZ_CASE={_target.Kind}:{number} ./troupe test FuzzTests\n"
            + $"input made smaller ({input.Length} bytes, kept in {Path.GetRelativePath(Repository.Root, file)}): {shown}");
    }

    private Random Generator(long number) => new(Mixed(number));

    // SplitMix64 (Steele et al. 2014), so that neighbours have nothing in common.
    private int Mixed(long number)
    {
        ulong z = MemoryMarshal.AsBytes(_target.Kind.AsSpan()).ToArray().Aggregate((ulong)(uint)Seed.Value, (hash, c) => hash * 31 + c);
        z = z * 0x2545F4914F6CDD1D + (ulong)number * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (int)(z ^ (z >> 31)) & int.MaxValue;
    }
}
