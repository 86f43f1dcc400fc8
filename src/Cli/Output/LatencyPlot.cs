namespace Troupe.Cli.Output;

internal static class LatencyPlot
{
    public static string Draw(IReadOnlyList<All2AllFigures> figures) => $"<svg>{figures.Count}</svg>";
}
