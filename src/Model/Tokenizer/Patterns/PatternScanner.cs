using System.Buffers;
using System.Runtime.CompilerServices;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Tokenizer.Patterns;

/// <summary>
/// Finds a pattern in a text, over whole code points, with the outcome of a backtracking engine (the first alternative that leads to a
/// match) in one pass: a table of states by classes of code points. Immutable.
/// </summary>
internal sealed class PatternScanner
{
    private const int Start = 1;
    /// <summary>Failed tries that looked at no more than this are not worth remembering.</summary>
    private const int ShortTry = 16;
    /// <summary>The most code points looked at for each of the text. Published patterns look at some ten.</summary>
    private const long MaxLooks = 1000;

    private readonly byte[] _classes;
    // For each state and class, and behind them the text's end: twice the next state (0: none), plus 1 if the pattern has matched by here.
    private readonly int[] _next;
    private readonly int _width;

    private PatternScanner(byte[] classes, int[] next, int width) => (_classes, _next, _width) = (classes, next, width);

    /// <summary>Makes the table of a pattern. Work: what it and others may take together; null for it alone.</summary>
    /// <exception cref="FormatException">The pattern is not supported, or would match the empty text; the message says what it
    /// has.</exception>
    public static PatternScanner Of(PatternNode pattern, PatternWork? work = null)
    {
        (byte[] classes, int[] next, int width) = new ScannerBuilder(PatternProgram.Compile(pattern), work ?? new PatternWork()).Build();
        if (Enumerable.Range(0, width).Any(c => next[Start * width + c] % 2 == 1))
            throw new FormatException("can match the empty text, which is not supported");
        return new PatternScanner(classes, next, width);
    }

    /// <summary>Where the match that begins at the start ends, or -1. No half of a surrogate pair may stand in the text.</summary>
    public int Match(ReadOnlySpan<char> text, int start) => Run(text, start, [], out _);

    /// <summary>The first match that begins at or behind the start, or (-1, -1).</summary>
    /// <param name="text">Without halves of surrogate pairs.</param>
    /// <param name="start">Where to begin.</param>
    /// <param name="failures">Kept between calls on one text, so that a hopeless stretch is not looked at again and again.</param>
    [MethodImpl(Hot.Path)]
    public (int Start, int End) Find(ReadOnlySpan<char> text, int start, ref Failures failures)
    {
        for (int at = start; at < text.Length; at++)
        {
            int end = Run(text, at, failures.States, out int seen);
            failures.Count(seen - at, text.Length);
            if (end >= 0) return (at, end);
            if (seen - at > ShortTry) failures.Remember(this, text, at, seen);
            if (char.IsHighSurrogate(text[at])) at++;
        }
        return (-1, -1);
    }

    [MethodImpl(Hot.Path)]
    private int Run(ReadOnlySpan<char> text, int start, ReadOnlySpan<int> failed, out int seen)
    {
        int state = Start, end = -1, at = start;
        while (at < text.Length)
        {
            int code = text[at], units = 1;
            if (char.IsHighSurrogate((char)code)) (code, units) = (char.ConvertToUtf32((char)code, text[at + 1]), 2);
            int next = _next[state * _width + _classes[code]];
            if ((next & 1) != 0) end = at;
            state = next >> 1;
            seen = at;
            if (state == 0) return end;
            at += units;
            // An earlier try came here in the same state, and went on to fail.
            if (end < 0 && at < failed.Length && failed[at] == state) return -1;
        }
        seen = at;
        return (_next[state * _width + _width - 1] & 1) != 0 ? at : end;
    }

    /// <summary>Which state the last long failed try was in, by place.</summary>
    internal struct Failures : IDisposable
    {
        private int[]? _states;
        private int _length;
        private long _looks;

        /// <summary>The states; empty as long as there was no failed try.</summary>
        public readonly ReadOnlySpan<int> States => _states.AsSpan(0, _length);

        /// <summary>Counts what a try looked at: some patterns would look at the whole text from each of its places.</summary>
        /// <exception cref="ModelException">It is too much.</exception>
        public void Count(int looks, int length)
        {
            if ((_looks += looks) > MaxLooks * (length + MaxLooks))
                throw new ModelException($"a pattern of tokenizer.json looks at more than {MaxLooks} characters for each of a text "
                    + $"of {length}");
        }

        /// <summary>Notes the states of a try that failed.</summary>
        public void Remember(PatternScanner scanner, ReadOnlySpan<char> text, int start, int seen)
        {
            if (_states is null)
            {
                _length = text.Length;
                _states = ArrayPool<int>.Shared.Rent(_length);
                _states.AsSpan(0, _length).Clear();
            }
            int state = Start;
            for (int at = start; at < seen;)
            {
                int code = text[at], units = 1;
                if (char.IsHighSurrogate((char)code)) (code, units) = (char.ConvertToUtf32((char)code, text[at + 1]), 2);
                state = scanner._next[state * scanner._width + scanner._classes[code]] >> 1;
                at += units;
                if (at < _length) _states[at] = state;
            }
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            if (_states is not null) ArrayPool<int>.Shared.Return(_states);
            _states = null;
            _length = 0;
        }
    }
}
