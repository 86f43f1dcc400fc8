namespace Troupe.Actors.Routing;

/// <summary>The shape of one step as a strategy sees it: rows per member of the expert group, and the sizes of the model.</summary>
/// <param name="Ranks">Members of the group (R).</param>
/// <param name="Rows">Rows that all members bring together.</param>
/// <param name="MaxRows">Rows of the member that brings most.</param>
/// <param name="Hidden">Values in a row (H).</param>
/// <param name="TopK">Experts per token (K).</param>
/// <param name="BytesPerValue">Bytes of a value on the wire.</param>
/// <param name="MoeLayers">Dispatches, and combines, in the step.</param>
public sealed record StepShape(int Ranks, int Rows, int MaxRows, int Hidden, int TopK, int BytesPerValue, int MoeLayers);

/// <summary>What the links cost. All in microseconds.</summary>
/// <param name="PerMessage">Fixed cost of a message and its flag to one peer.</param>
/// <param name="PerByte">Cost of a payload byte to another rank.</param>
/// <param name="PerRow">Cost of packing or adding one row.</param>
public sealed record LinkCosts(double PerMessage, double PerByte, double PerRow)
{
    /// <summary>
    /// Starting points by fabric, the order of magnitude of a shared-memory and a loopback link; corrected by every step.
    /// </summary>
    public static LinkCosts For(string fabric) => fabric == "tcp" ? new(20, 0.0008, 0.3) : new(2, 0.0002, 0.2);
}

/// <summary>
/// Predicts microseconds of dispatch and combine, pure. Bytes per local token follow DESIGN's table: allgather + reduce-scatter moves
/// (R-1)Hb out and (R-1)Hc back for each token, whoever its experts are; messages and flags are one to each peer each way.
/// </summary>
public sealed record CostModel(LinkCosts Link, double Correction)
{
    /// <summary>How far one observation moves the correction.</summary>
    public const double LearningRate = 0.1;

    /// <summary>A model of a fabric before any step was seen.</summary>
    public static CostModel For(string fabric) => new(LinkCosts.For(fabric), 1);

    /// <summary>Predicted microseconds of all dispatches and combines of a step.</summary>
    public double AllGatherReduceScatter(StepShape shape)
    {
        if (shape.Ranks < 2) return 0;
        double peers = shape.Ranks - 1;
        double bytes = shape.MaxRows * peers * (shape.Hidden * shape.BytesPerValue * 2.0 + shape.TopK * 8.0);
        double rows = shape.Rows + shape.MaxRows * peers;
        return Correction * shape.MoeLayers * (2 * peers * Link.PerMessage + bytes * Link.PerByte + rows * Link.PerRow);
    }

    /// <summary>The model after a step was predicted at one time and took another; outliers count for at most a factor of ten.</summary>
    public CostModel Observe(double predictedUs, double measuredUs)
    {
        if (predictedUs <= 0 || measuredUs <= 0) return this;
        double ratio = Math.Clamp(measuredUs / predictedUs, 0.1, 10);
        return this with { Correction = Math.Clamp(Correction * Math.Pow(ratio, LearningRate), 1e-3, 1e3) };
    }
}
