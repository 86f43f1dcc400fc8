using Akka.Actor;
using static Troupe.Actors.Protocols.WireCheck;
using static Troupe.Actors.Protocols.WireRefs;

namespace Troupe.Actors.Protocols;

/// <summary>The wire form of Inspection.cs; the schema is Inspection.proto.</summary>
internal static class InspectionWire
{
    public static readonly WireForm[] Forms =
    [
        WireForm.Of<Inspect, Wire.Inspect>(Write, Read),
        WireForm.Of<Inspection, Wire.Inspection>(Write, Read),
        WireForm.Of<ReportRequest, Wire.ReportRequest>(Write, Read),
        WireForm.Of<Report, Wire.Report>(Write, Read),
        WireForm.Of<RouterStarted, Wire.RouterStarted>(Write, Read),
    ];

    private static Wire.Inspect Write(Inspect m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Subject = (Wire.Subject)m.Subject, Argument = m.Argument };

    private static Inspect Read(Wire.Inspect p) => new(Known<Subject>((int)p.Subject), Text(p.Argument));

    private static Wire.Inspection Write(Inspection m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Json = m.Json, Error = m.Error };

    private static Inspection Read(Wire.Inspection p) => new(Text(p.Json), Text(p.Error));

    private static Wire.ReportRequest Write(ReportRequest m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Subject = (Wire.Subject)m.Subject, Argument = m.Argument };

    private static ReportRequest Read(Wire.ReportRequest p) => new(ToEpoch(p.Epoch), Known<Subject>((int)p.Subject), Text(p.Argument));

    private static Wire.Report Write(Report m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Index = m.Index, Json = m.Json };

    private static Report Read(Wire.Report p) => new(ToEpoch(p.Epoch), NotNegative(p.Index), Text(p.Json));

    private static Wire.RouterStarted Write(RouterStarted m) =>
        new() { Epoch = m.Epoch.Value, Step = m.Step.Value, Router = PathOf(m.Router) };

    private static RouterStarted Read(Wire.RouterStarted p, ExtendedActorSystem system) => new(ActorAt(p.Router, system));
}
