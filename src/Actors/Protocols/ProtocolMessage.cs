using Troupe.Devices.Topology;

namespace Troupe.Actors.Protocols;

/// <summary>Marks what our serializer carries: bound in HOCON, so that nothing else of ours can cross a wire by accident.</summary>
public interface IProtocolMessage;

/// <summary>A message between our actors. Receivers drop and count what belongs to another epoch.</summary>
/// <param name="Epoch">The membership it was said in; 0 before there is one.</param>
/// <param name="Step">The step it is about; 0 where it is about none.</param>
public abstract record ProtocolMessage(Epoch Epoch, StepId Step) : IProtocolMessage;
