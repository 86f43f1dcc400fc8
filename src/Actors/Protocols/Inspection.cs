using Akka.Actor;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Protocols;

// The conversation of the state tooling. Answers are JSON of our own records (source-generated), made where the state lives.

/// <summary>What the tooling can ask for.</summary>
public enum Subject
{
    Status,
    Members,
    Explain,
    ExpertLoad,
    Leave,
    Down,
    Cancel,
    Clocks,
}

/// <summary>
/// A question to any node. <paramref name="Argument"/>: a step for explain, an address for leave and down, a request for cancel.
/// </summary>
public sealed record Inspect(Subject Subject, string Argument) : ProtocolMessage(default, default);

/// <summary>The answer as JSON, or an error in one line.</summary>
public sealed record Inspection(string Json, string Error) : ProtocolMessage(default, default);

/// <summary>The coordinator asks a scheduler, rank or router for its part.</summary>
public sealed record ReportRequest(Epoch Epoch, Subject Subject, string Argument) : ProtocolMessage(Epoch, default);

/// <summary>One actor's part of an answer, as JSON.</summary>
public sealed record Report(Epoch Epoch, int Index, string Json) : ProtocolMessage(Epoch, default);

/// <summary>The router's singleton has started here.</summary>
public sealed record RouterStarted(IActorRef Router) : ProtocolMessage(default, default);
