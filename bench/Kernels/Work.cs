using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Parameters;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Troupe.Bench;

/// <summary>What one call does; 0 where that is not what counts.</summary>
/// <param name="Operations">Additions and multiplications of floats.</param>
/// <param name="Bytes">Bytes that must be read at least: weights, keys and values, or text.</param>
internal readonly record struct Work(double Operations, double Bytes);

/// <summary>Benchmarks that know what one call does; asked before anything is set up.</summary>
internal interface IWorks
{
    /// <summary>The work of a method with the parameters that are set.</summary>
    Work Of(string method);
}

/// <summary>A column of work a nanosecond: GFLOP/s or GB/s, of the mean time.</summary>
internal sealed class RateColumn(string name, Func<Work, double> amount) : IColumn
{
    /// <inheritdoc/>
    public string Id => name;

    /// <inheritdoc/>
    public string ColumnName => name;

    /// <inheritdoc/>
    public bool AlwaysShow => false;

    /// <inheritdoc/>
    public ColumnCategory Category => ColumnCategory.Custom;

    /// <inheritdoc/>
    public int PriorityInCategory => 0;

    /// <inheritdoc/>
    public bool IsNumeric => true;

    /// <inheritdoc/>
    public UnitType UnitType => UnitType.Dimensionless;

    /// <inheritdoc/>
    public string Legend => $"{name} by the mean time; bytes are those that must be read at least";

    /// <inheritdoc/>
    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    /// <inheritdoc/>
    public bool IsAvailable(Summary summary) => true;

    /// <inheritdoc/>
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    /// <inheritdoc/>
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        if (summary[benchmarkCase]?.ResultStatistics is not { } statistics) return "?";
        if (Activator.CreateInstance(benchmarkCase.Descriptor.Type) is not IWorks works) return "-";
        foreach (ParameterInstance parameter in benchmarkCase.Parameters.Items)
            works.GetType().GetProperty(parameter.Name)!.SetValue(works, parameter.Value);
        double rate = amount(works.Of(benchmarkCase.Descriptor.WorkloadMethod.Name)) / statistics.Mean;
        (works as IDisposable)?.Dispose();
        return rate == 0 ? "-" : rate.ToString(rate < 10 ? "F3" : "F1", System.Globalization.CultureInfo.InvariantCulture);
    }
}
