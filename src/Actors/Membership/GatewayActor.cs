using Akka.Actor;
using Troupe.Actors.Protocols;

namespace Troupe.Actors.Membership;

/// <summary>
/// The door of every node, at <c>/user/gateway</c>: clients and the state tooling may come to any. Passes on to the coordinator, and
/// answers itself while there is none yet.
/// </summary>
public sealed class GatewayActor : ReceiveActor
{
    private readonly Inspector _inspector;
    private IActorRef? _coordinator;

    /// <summary>A gateway that waits for the coordinator to be found.</summary>
    public GatewayActor(Inspector inspector)
    {
        _inspector = inspector;
        Receive<CoordinatorFound>(found => _coordinator = found.Coordinator);
        Receive<Connect>(connect =>
        {
            if (_coordinator is not null) _coordinator.Forward(connect);
            else connect.Client.Tell(new Connected(default, false, Inspector.NoCoordinator, "", 0, "", []));
        });
        Receive<Inspect>(inspect =>
        {
            if (_coordinator is not null) _coordinator.Forward(inspect);
            else _inspector.Answer(inspect, null).PipeTo(Sender, Self);
        });
        Receive<SpansRequest>(request =>
        {
            if (_coordinator is not null) _coordinator.Forward(request);
            else Sender.Tell(new Inspection("", Inspector.NoCluster));
        });
        Receive<CancelRequest>(cancel => _coordinator?.Forward(cancel));
    }
}
