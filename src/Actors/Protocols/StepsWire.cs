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
    };

    private static SlotJoin Read(Wire.SlotJoin p) => new(
        NotNegative(p.Slot), Numbers(p.Ids, MaxIds), Read(Present(p.Sampling)), Known<SequenceMode>((int)p.Mode),
        Numbers(p.Blocks, MaxIds));

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
        Version = m.Version, MeasuredUs = m.MeasuredUs,
    };

    private static StepOffer Read(Wire.StepOffer p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Replica), NotNegative(p.Lane), NotNegative(p.Rows), Known<StepKind>((int)p.Kind),
        NotNegative(p.Version), NotNegative(p.MeasuredUs));

    private static Wire.StepPlan Write(StepPlan m)
    {
        var p = new Wire.StepPlan
        {
            Epoch = m.Epoch.Value, Step = m.Step.Value, Lane = m.Lane, After = m.After.Value, Strategy = m.Strategy,
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
        return new(ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Lane), ToStep(p.After), Text(p.Strategy), shares);
    }

    private static Wire.StepResult Write(StepResult m)
    {
        var p = new Wire.StepResult
        {
            Epoch = m.Epoch.Value, Step = m.Step.Value, Replica = m.Replica, Lane = m.Lane, Scores = { m.Scores.Select(Write) },
            StepUs = m.StepUs, WaitUs = m.WaitUs,
        };
        foreach (var token in m.Tokens)
        {
            p.TokenSlots.Add(token.Slot);
            p.TokenIds.Add(token.Token);
        }

        return p;
    }

    private static StepResult Read(Wire.StepResult p)
    {
        var tokens = new SlotToken[Paired(p.TokenSlots.Count, p.TokenIds.Count, MaxItems)];
        for (int i = 0; i < tokens.Length; i++) tokens[i] = new(NotNegative(p.TokenSlots[i]), NotNegative(p.TokenIds[i]));
        return new(
            ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Replica), NotNegative(p.Lane), tokens, Each(p.Scores, MaxItems, Read),
            NotNegative(p.StepUs), NotNegative(p.WaitUs));
    }

    private static Wire.LogitsSlice Write(LogitsSlice m) => new()
    {
        Epoch = m.Epoch.Value, Step = m.Step.Value, Replica = m.Replica, Slot = m.Slot, Offset = m.Offset, Values = { m.Values },
    };

    private static LogitsSlice Read(Wire.LogitsSlice p) => new(
        ToEpoch(p.Epoch), ToStep(p.Step), NotNegative(p.Replica), NotNegative(p.Slot), NotNegative(p.Offset),
        Values(p.Values, LogitsSlice.MaxValues));
}
