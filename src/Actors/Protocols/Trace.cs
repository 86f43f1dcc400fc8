using Troupe.Devices.Topology;
using Troupe.Model.Layers;

namespace Troupe.Actors.Protocols;

// The conversation about traces: what the last steps of each rank were made of, and how the ranks' clocks lie to each other.

/// <summary>What does your clock say? From the control node to a rank.</summary>
public sealed record ClockPing(Epoch Epoch) : ProtocolMessage(Epoch, default);

/// <summary>A rank's clock when the ping came.</summary>
public sealed record ClockPong(Epoch Epoch, int Rank, long Ticks, long TicksPerSecond) : ProtocolMessage(Epoch, default);

/// <summary>
/// Asks for spans of a rank, through any node's gateway; 0 as epoch is the one of the cluster. They come in parts, each asked for.
/// </summary>
/// <param name="Rank">Whose.</param>
/// <param name="From">The number of the first span that is wanted; 0 begins with the last <paramref name="Steps"/> steps.</param>
/// <param name="Steps">How many steps are wanted.</param>
public sealed record SpansRequest(Epoch Epoch, int Rank, long From, int Steps) : ProtocolMessage(Epoch, default);

/// <summary>Spans of a rank, at most <see cref="MaxSpans"/>.</summary>
/// <param name="Rank">Whose.</param>
/// <param name="Kept">How many steps it keeps; 0 where it keeps none.</param>
/// <param name="First">The number of the first span here: later than asked for where that one is no longer kept.</param>
/// <param name="Written">Spans written so far: those up to here can be asked for next.</param>
/// <param name="Spans">In the order in which they ended.</param>
public sealed record SpanBatch(Epoch Epoch, int Rank, int Kept, long First, long Written, IReadOnlyList<StepSpan> Spans)
    : ProtocolMessage(Epoch, default)
{
    /// <summary>Spans of a message: some 20 bytes each, 40 at the very most.</summary>
    public const int MaxSpans = 2048;
}
