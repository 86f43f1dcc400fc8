using Akka.Actor;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Protocols;

// The conversation of a client: connect, submit, stream, cancel.

/// <summary>A client asks any node where the schedulers are.</summary>
public sealed record Connect(string ClientId, IActorRef Client) : ProtocolMessage(default, default);

/// <summary>
/// Where to submit. While the cluster is not ready, <paramref name="Schedulers"/> is empty and <paramref name="WaitingFor"/> says what it
/// waits for. The client holds a lifeline, so that its death frees its requests at once.
/// </summary>
public sealed record Connected(
    Epoch Epoch, bool Ready, string WaitingFor, string LifelineHost, int LifelinePort, string Token, IReadOnlyList<IActorRef> Schedulers)
    : ProtocolMessage(Epoch, default);

/// <summary>
/// One request of a batch. The prompt is text, or <paramref name="Ids"/> where the text is null. <paramref name="MaxTokens"/> bounds what
/// is generated.
/// </summary>
public sealed record RequestSpec(
    string Id, string? Prompt, IReadOnlyList<int> Ids, int MaxTokens, SamplingSpec Sampling, IReadOnlyList<string> Stop, bool IgnoreEos,
        SequenceMode Mode);

/// <summary>A client's requests for one scheduler.</summary>
public sealed record SubmitBatch(Epoch Epoch, string ClientId, IActorRef Client, IReadOnlyList<RequestSpec> Requests)
    : ProtocolMessage(Epoch, default);

/// <summary>A client asks a scheduler how much it has to do; it answers with <see cref="ReplicaLoad"/>.</summary>
public sealed record AskLoad(Epoch Epoch) : ProtocolMessage(Epoch, default);

/// <summary>
/// How much a replica has to do: rows that its requests may still bring, of prompts and of tokens to come, and the positions of its KV
/// cache that nobody holds.
/// </summary>
public sealed record ReplicaLoad(Epoch Epoch, int Replica, long WaitingRows, long FreeKv) : ProtocolMessage(Epoch, default);

/// <summary>The request is in the queue.</summary>
public sealed record RequestAccepted(Epoch Epoch, string Id, int Replica, IReadOnlyList<int> PromptIds) : ProtocolMessage(Epoch, default);

/// <summary>New tokens of a request. The text holds whole characters only.</summary>
public sealed record TokenChunk(Epoch Epoch, StepId Step, string Id, IReadOnlyList<int> Ids, string Text) : ProtocolMessage(Epoch, Step);

/// <summary>Scores or probe results of a prompt.</summary>
public sealed record ScoreChunk(Epoch Epoch, StepId Step, string Id, SlotScores Scores) : ProtocolMessage(Epoch, Step);

/// <summary>A slice of a probe's logits.</summary>
public sealed record LogitsChunk(Epoch Epoch, StepId Step, string Id, int Offset, IReadOnlyList<float> Values)
    : ProtocolMessage(Epoch, Step);

/// <summary>
/// The request's end. <paramref name="Reason"/>: <c>stop</c>, <c>length</c>, <c>cancelled</c>, <c>timeout</c>, <c>scored</c>,
/// <c>refused</c> or <c>error</c>; the last two come with <paramref name="Error"/>. Times are in milliseconds.
/// </summary>
public sealed record RequestEnded(
    Epoch Epoch, StepId Step, string Id, string Reason, string Error, double QueueMs, double PrefillMs, double DecodeMs, int Generated)
    : ProtocolMessage(Epoch, Step);

/// <summary>Give a request up; its KV is free again within one step. Sent to any node; ends up at all schedulers.</summary>
public sealed record CancelRequest(string Id) : ProtocolMessage(default, default);

/// <summary>A client is gone: give all its requests up.</summary>
public sealed record ClientGone(Epoch Epoch, string ClientId) : ProtocolMessage(Epoch, default);

/// <summary>To clients: no more tokens will come.</summary>
public sealed record ClusterEnded(Epoch Epoch, string Error) : ProtocolMessage(Epoch, default);
