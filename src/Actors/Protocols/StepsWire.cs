using Troupe.Devices.Topology;
using static Troupe.Actors.Protocols.WireCheck;

namespace Troupe.Actors.Protocols;

/// <summary>The wire form of Steps.cs; the schema is Steps.proto.</summary>
internal static class StepsWire
{
    public static readonly WireForm[] Forms =
    [
        WireForm.Of<BatchDelta, Wire.BatchDelta>(Write, Read),
        WireForm.Of<StepOffer, Wire.StepOffer>(Write, Read),
        WireForm.Of<StepPlan, Wire.StepPlan>(Write, Read),
        WireForm.Of<LeaseNote, Wire.LeaseNote>(Write, Read),
        WireForm.Of<LeaseEnded, Wire.LeaseEnded>(Write, Read),
        WireForm.Of<ShadowMismatch, Wire.ShadowMismatch>(Write, Read),
        WireForm.Of<StepResult, Wire.StepResult>(Write, Read),
        WireForm.Of<LogitsSlice, Wire.LogitsSlice>(Write, Read),
    ];

    public static Wire.SamplingSpec Write(SamplingSpec m) => new()
    {
        Temperature = m.Temperature, TopK = m.TopK, TopP = m.TopP, MinP = m.MinP, RepetitionPenalty = m.RepetitionPenalty, Seed = m.Seed,
    };

    /// <summary>Which values a sampler takes is its own affair; here they only must be numbers. A TopK of -1: all.</summary>
    public static SamplingSpec Read(Wire.SamplingSpec p) => new(
        NotNegative(p.Temperature), AtLeast(-1, p.TopK), NotNegative(p.TopP), NotNegative(p.MinP),
        NotNegative(p.RepetitionPenalty), p.Seed);

    public static Wire.SlotScores Write(SlotScores m) => new()
    {
        Slot = m.Slot, Position = m.Position, LogProbs = { m.LogProbs }, TopIds = { m.TopIds }, TopLogProbs = { m.TopLogProbs },
    };

    public static SlotScores Read(Wire.SlotScores p)
    {
        Paired(p.TopIds.Count, p.TopLogProbs.Count, MaxIds);
        return new(
            NotNegative(p.Slot), NotNegative(p.Position), Values(p.LogProbs, MaxIds), Numbers(p.TopIds, MaxIds),
            Values(p.TopLogProbs, MaxIds));
    }

    private static Wire.SlotJoin Write(SlotJoin m) => new()
    {
        Slot = m.Slot, Ids = { m.Ids }, Sampling = Write(m.Sampling), Mode = (Wire.SequenceMode)m.Mode, Blocks = { m.Blocks },
        MaxTokens = m.MaxTokens, IgnoreEos = m.IgnoreEos,
    };

    private static SlotJoin Read(Wire.SlotJoin p) => new(
        NotNegative(p.Slot), Numbers(p.Ids, MaxIds), Read(Present(p.Sampling)), Known<SequenceMode>((int)p.Mode),
        Numbers(p.Blocks, MaxIds), NotNegative(p.MaxTokens), p.IgnoreEos);

    private static Wire.BatchDelta Write(BatchDelta m)
    {
        var p = new Wire.BatchDelta
        {
            Epoch = m.Epoch.Value, Step = m.Step.Value, Replica = m.Replica, Version = m.Version, Lane = m.Lane,
            Joins = { m.Joins.Select(Write) }, Leaves = { m.Leaves },
        };
        foreach (var work in m.Work)
        {
            p.WorkSlots.Add(work.Slot);
            p.WorkRows.Add(work.Rows);
        }

        return p;
    }

    private static BatchDelta Read(Wire.BatchDelta p)
    {
        var work = new SlotWork[Paired(p.WorkSlots.Count, p.WorkRows.Count, MaxItems)];
        for (int i = 0; i < work.Length; i++) work[i] = new(NotNegative(p.WorkSlots[i]), NotNegative(p.WorkRows[i]));
        return new(
            ToEpoch(p.Epoch), NotNegative(p.Replica), NotNegative(p.Version), NotNegative(p.Lane),
            Each(p.Joins, MaxItems, Read), Numbers(p.Leaves, MaxItems), work);
    }

    private static Wire.StepOffer Write(StepOffer m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Replica = m.Replica, Lane = m.Lane, Rows = m.Rows, Kind = (Wire.StepKind)m.Kind,
        Version = m.Version, MeasuredUs = m.MeasuredUs, Ran = m.Ran.Value, StepUs = m.StepUs,
    };

    private static StepOffer Read(Wire.StepOffer p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Replica), NotNegative(p.Lane), NotNegative(p.Rows), Known<StepKind>((int)p.Kind),
        NotNegative(p.Version), NotNegative(p.MeasuredUs), ToStep(p.Ran), NotNegative(p.StepUs));

    private static Wire.StepPlan Write(StepPlan m)
    {
        var p = new Wire.StepPlan
        {
            Epoch = m.Epoch.Value, Step = m.Step.Value, Lane = m.Lane, After = m.After.Value, Strategy = m.Strategy,
            Lease = Write(m.Lease ?? s_noLease), AskedBy = m.AskedBy + 1, InHalves = m.InHalves,
        };
        foreach (var share in m.Shares)
        {
            p.ShareRows.Add(share.Rows);
            p.ShareVersions.Add(share.Version);
        }

        return p;
    }

    private static StepPlan Read(Wire.StepPlan p)
    {
        var shares = new ReplicaShare[Paired(p.ShareRows.Count, p.ShareVersions.Count, MaxRanks)];
        for (int i = 0; i < shares.Length; i++) shares[i] = new(NotNegative(p.ShareRows[i]), NotNegative(p.ShareVersions[i]));
        return new(ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Lane), ToStep(p.After), Text(p.Strategy), shares,
            Read(Present(p.Lease)) is { First.Value: > 0 } lease ? lease : null, NotNegative(p.AskedBy) - 1, p.InHalves);
    }

    private static readonly LeaseGrant s_noLease = new(default, [], "", 0, 0);

    private static Wire.LeaseGrant Write(LeaseGrant m) => new()
    {
        First = m.First.Value, Lanes = { m.Lanes }, Strategy = m.Strategy, Capacity = m.Capacity, Steps = m.Steps,
    };

    private static LeaseGrant Read(Wire.LeaseGrant p) => new(
        ToStep(p.First), Numbers(p.Lanes, MaxRanks), Text(p.Strategy), NotNegative(p.Capacity), NotNegative(p.Steps));

    private static Wire.LeaseNote Write(LeaseNote m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Ends = { m.Ends }, Leave = m.Leave,
    };

    private static LeaseNote Read(Wire.LeaseNote p) => new(ToEpoch(p.Epoch), ToStep(p.Step), Numbers(p.Ends, MaxItems), p.Leave);

    private static Wire.LeaseEnded Write(LeaseEnded m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, First = m.First.Value, Lasts = { m.Lasts.Select(s => s.Value) },
        Steps = m.Steps, StepUs = m.StepUs, ExchangeUs = m.ExchangeUs,
    };

    private static LeaseEnded Read(Wire.LeaseEnded p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), ToStep(p.First), [.. Numbers(p.Lasts, MaxRanks).Select(last => new StepId(last))],
        NotNegative(p.Steps), NotNegative(p.StepUs), NotNegative(p.ExchangeUs));

    private static Wire.ShadowMismatch Write(ShadowMismatch m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Rank = m.Rank, Strategy = m.Strategy, Layer = m.Layer, Row = m.Row, Value = m.Value,
        GotValue = m.GotValue, WantedValue = m.WantedValue,
    };

    /// <summary>What came out wrong may be any value, none included.</summary>
    private static ShadowMismatch Read(Wire.ShadowMismatch p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Rank), Text(p.Strategy), NotNegative(p.Layer), NotNegative(p.Row),
        NotNegative(p.Value), p.GotValue, p.WantedValue);

    private static Wire.StepResult Write(StepResult m)
    {
        var p = new Wire.StepResult
        {
            Epoch = m.Epoch.Value, Step = m.Step.Value, Replica = m.Replica, Lane = m.Lane, Scores = { m.Scores.Select(Write) },
            StepUs = m.StepUs, ExchangeUs = m.ExchangeUs, Lease = m.Lease.Value, Exchanged = m.Exchanged.Value,
        };
        bool ends = false;
        foreach (var token in m.Tokens)
        {
            p.TokenSlots.Add(token.Slot);
            p.TokenIds.Add(token.Token);
            ends |= token.End != TokenEnd.GoesOn;
        }
        // Ends are rare: a column of zeros need not travel.
        if (ends) foreach (var token in m.Tokens) p.TokenEnds.Add((Wire.TokenEnd)token.End);

        return p;
    }

    private static StepResult Read(Wire.StepResult p)
    {
        var tokens = new SlotToken[Paired(p.TokenSlots.Count, p.TokenIds.Count, MaxItems)];
        bool ends = p.TokenEnds.Count > 0 && Paired(p.TokenSlots.Count, p.TokenEnds.Count, MaxItems) > 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = new(NotNegative(p.TokenSlots[i]), NotNegative(p.TokenIds[i]),
                ends ? Known<TokenEnd>((int)p.TokenEnds[i]) : TokenEnd.GoesOn);
        }
        return new(
            ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Replica), NotNegative(p.Lane), tokens, Each(p.Scores, MaxItems, Read),
            NotNegative(p.StepUs), NotNegative(p.ExchangeUs), ToStep(p.Lease), ToStep(p.Exchanged));
    }

    private static Wire.LogitsSlice Write(LogitsSlice m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Replica = m.Replica, Slot = m.Slot, Offset = m.Offset, Values = { m.Values },
    };

    private static LogitsSlice Read(Wire.LogitsSlice p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Replica), NotNegative(p.Slot), NotNegative(p.Offset),
        Values(p.Values, LogitsSlice.MaxValues));
}
