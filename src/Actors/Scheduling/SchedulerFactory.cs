using Akka.Actor;
using Troupe.Actors.Configuration;
using Troupe.Actors.Protocols;
using Troupe.Actors.Ranks;
using Troupe.Model.Tokenizer;

namespace Troupe.Actors.Scheduling;

/// <summary>Starts the scheduler of a replica beside its stage-0 rank.</summary>
internal static class SchedulerFactory
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>A scheduler as a child of the rank.</summary>
    public static IActorRef Start(IActorRefFactory context, RankSetup setup, Assign assign, int replica, IActorRef coordinator,
        RoundClock rounds)
    {
        BpeTokenizer? tokenizer = setup.ModelFolder is null ? null : BpeTokenizer.Load(setup.ModelFolder);
        var intake = new RequestIntake(setup.Config, tokenizer, assign.Sizes.Context, setup.Limits);
        var scheduler = new SchedulerSetup(
            assign.Epoch, assign.Rank, replica, assign.Sizes, intake, setup.MaxQueue, setup.RequestTimeout,
            // A wait may take its whole deadline and still be reported by the rank itself, or by the control node, which knows more.
            (2 * setup.FabricOptions.WaitDeadline) + Grace, setup.Clock, coordinator, rounds);
        return context.ActorOf(
            Props.Create(() => new SchedulerActor(scheduler)).WithDispatcher(ReferenceConfig.StepDispatcher), "scheduler");
    }
}
