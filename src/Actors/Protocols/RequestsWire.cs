using Akka.Actor;
using static Troupe.Actors.Protocols.WireCheck;
using static Troupe.Actors.Protocols.WireRefs;

namespace Troupe.Actors.Protocols;

/// <summary>The wire form of Requests.cs; the schema is Requests.proto.</summary>
internal static class RequestsWire
{
    public static readonly WireForm[] Forms =
    [
        WireForm.Of<Connect, Wire.Connect>(Write, Read),
        WireForm.Of<Connected, Wire.Connected>(Write, Read),
        WireForm.Of<SubmitBatch, Wire.SubmitBatch>(Write, Read),
        WireForm.Of<AskLoad, Wire.AskLoad>(Write, Read),
        WireForm.Of<ReplicaLoad, Wire.ReplicaLoad>(Write, Read),
        WireForm.Of<RequestAccepted, Wire.RequestAccepted>(Write, Read),
        WireForm.Of<TokenChunk, Wire.TokenChunk>(Write, Read),
        WireForm.Of<ScoreChunk, Wire.ScoreChunk>(Write, Read),
        WireForm.Of<LogitsChunk, Wire.LogitsChunk>(Write, Read),
        WireForm.Of<RequestEnded, Wire.RequestEnded>(Write, Read),
        WireForm.Of<CancelRequest, Wire.CancelRequest>(Write, Read),
        WireForm.Of<ClientGone, Wire.ClientGone>(Write, Read),
        WireForm.Of<ClusterEnded, Wire.ClusterEnded>(Write, Read),
    ];

    private static Wire.Connect Write(Connect m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, ClientId = m.ClientId, Client = PathOf(m.Client) };

    private static Connect Read(Wire.Connect p, ExtendedActorSystem system) => new(Text(p.ClientId), ActorAt(p.Client, system));

    private static Wire.Connected Write(Connected m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Ready = m.Ready, WaitingFor = m.WaitingFor, LifelineHost = m.LifelineHost,
        LifelinePort = m.LifelinePort, Token = m.Token, Schedulers = { m.Schedulers.Select(actor => PathOf(actor, "schedulers")) },
    };

    private static Connected Read(Wire.Connected p, ExtendedActorSystem system) => new(
        ToEpoch(p.Epoch), p.Ready, Text(p.WaitingFor), Text(p.LifelineHost), Port(p.LifelinePort), Text(p.Token),
        Each(p.Schedulers, MaxRanks, path => ActorAt(path, system, "schedulers")));

    private static Wire.RequestSpec Write(RequestSpec m)
    {
        var p = new Wire.RequestSpec
        {
            Id = m.Id, Ids = { m.Ids }, MaxTokens = m.MaxTokens, Sampling = StepsWire.Write(m.Sampling), Stop = { m.Stop },
            IgnoreEos = m.IgnoreEos, Mode = (Wire.SequenceMode)m.Mode,
        };
        if (m.Prompt is not null) p.Prompt = m.Prompt;
        return p;
    }

    private static RequestSpec Read(Wire.RequestSpec p) => new(
        Text(p.Id), p.HasPrompt ? Text(p.Prompt) : null, Numbers(p.Ids, MaxIds), NotNegative(p.MaxTokens),
        StepsWire.Read(Present(p.Sampling)), Each(p.Stop, MaxStops, stop => Text(stop, "stop")), p.IgnoreEos,
        Known<SequenceMode>((int)p.Mode));

    private static Wire.SubmitBatch Write(SubmitBatch m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, ClientId = m.ClientId, Client = PathOf(m.Client),
        Requests = { m.Requests.Select(Write) },
    };

    private static SubmitBatch Read(Wire.SubmitBatch p, ExtendedActorSystem system) => new(
        ToEpoch(p.Epoch), Text(p.ClientId), ActorAt(p.Client, system), Each(p.Requests, MaxItems, Read));

    private static Wire.AskLoad Write(AskLoad m) => new() { Epoch = m.Epoch.Value, Step = m.Step.Value };

    private static AskLoad Read(Wire.AskLoad p) => new(ToEpoch(p.Epoch));

    private static Wire.ReplicaLoad Write(ReplicaLoad m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Replica = m.Replica, WaitingRows = m.WaitingRows, FreeKv = m.FreeKv,
    };

    private static ReplicaLoad Read(Wire.ReplicaLoad p) => new(
        ToEpoch(p.Epoch), NotNegative(p.Replica), NotNegative(p.WaitingRows), NotNegative(p.FreeKv));

    private static Wire.RequestAccepted Write(RequestAccepted m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Id = m.Id, Replica = m.Replica, PromptIds = { m.PromptIds },
    };

    private static RequestAccepted Read(Wire.RequestAccepted p) => new(
        ToEpoch(p.Epoch), Text(p.Id), NotNegative(p.Replica), Numbers(p.PromptIds, MaxIds));

    private static Wire.TokenChunk Write(TokenChunk m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Id = m.Id, Ids = { m.Ids }, Text = m.Text };

    private static TokenChunk Read(Wire.TokenChunk p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), Text(p.Id), Numbers(p.Ids, MaxIds), Text(p.Text));

    private static Wire.ScoreChunk Write(ScoreChunk m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Id = m.Id, Scores = StepsWire.Write(m.Scores) };

    private static ScoreChunk Read(Wire.ScoreChunk p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), Text(p.Id), StepsWire.Read(Present(p.Scores)));

    private static Wire.LogitsChunk Write(LogitsChunk m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Id = m.Id, Offset = m.Offset, Values = { m.Values } };

    private static LogitsChunk Read(Wire.LogitsChunk p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), Text(p.Id), NotNegative(p.Offset), Values(p.Values, LogitsSlice.MaxValues));

    private static Wire.RequestEnded Write(RequestEnded m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Id = m.Id, Reason = m.Reason, Error = m.Error, QueueMs = m.QueueMs,
        PrefillMs = m.PrefillMs, DecodeMs = m.DecodeMs, Generated = m.Generated,
    };

    private static RequestEnded Read(Wire.RequestEnded p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), Text(p.Id), Text(p.Reason), Text(p.Error), NotNegative(p.QueueMs), NotNegative(p.PrefillMs),
        NotNegative(p.DecodeMs), NotNegative(p.Generated));

    private static Wire.CancelRequest Write(CancelRequest m) => new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Id = m.Id };

    private static CancelRequest Read(Wire.CancelRequest p) => new(Text(p.Id));

    private static Wire.ClientGone Write(ClientGone m) => new() { Epoch = m.Epoch.Value, Step = m.Step.Value, ClientId = m.ClientId };

    private static ClientGone Read(Wire.ClientGone p) => new(ToEpoch(p.Epoch), Text(p.ClientId));

    private static Wire.ClusterEnded Write(ClusterEnded m) => new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Error = m.Error };

    private static ClusterEnded Read(Wire.ClusterEnded p) => new(ToEpoch(p.Epoch), Text(p.Error));
}
