using System.Globalization;
using System.Text;

namespace Troupe.Cli.Output;

/// <summary>
/// Latency against tokens as one SVG that needs no other file: a panel for each world and width of rows, both axes logarithmic, one line a
/// strategy with its name at its end; of each token count, the cheapest strategy in a ring and the router's pick a diamond.
/// </summary>
internal static class LatencyPlot
{
    private const int Columns = 2, PanelWidth = 620, PanelHeight = 400, Left = 64, Right = 190, Top = 54, Bottom = 52, LabelHeight = 14;
    private const double PlotWidth = PanelWidth - Left - Right, PlotHeight = PanelHeight - Top - Bottom;

    // Okabe and Ito 2008: told apart by people who see few colours.
    private static readonly string[] s_colours =
        ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#000000", "#8c6d1f"];

    /// <summary>Draws figures.</summary>
    public static string Draw(IReadOnlyList<All2AllFigures> figures)
    {
        string[] strategies = [.. figures.Select(f => f.Strategy).Distinct(StringComparer.Ordinal)];
        IGrouping<string, All2AllFigures>[] panels = [.. figures.GroupBy(f => f.World, StringComparer.Ordinal)];
        int rows = (panels.Length + Columns - 1) / Columns, width = Math.Min(panels.Length, Columns) * PanelWidth;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{rows * PanelHeight}" viewBox="0 0 {width} {rows * PanelHeight}"
              font-family="sans-serif" font-size="12">
            <title>All-to-all latency against tokens per rank</title>
            <rect width="100%" height="100%" fill="white"/>

            """);
        foreach ((IGrouping<string, All2AllFigures> panel, int i) in panels.Select((p, i) => (p, i)))
        {
            svg.Append(CultureInfo.InvariantCulture,
                $"<g transform=\"translate({i % Columns * PanelWidth},{i / Columns * PanelHeight})\">\n");
            new Panel(svg, [.. panel], strategies).Draw(panel.Key);
            svg.Append("</g>\n");
        }
        return svg.Append("</svg>\n").ToString();
    }

    private sealed class Panel
    {
        private readonly StringBuilder _svg;
        private readonly All2AllFigures[] _figures;
        private readonly string[] _strategies;
        private readonly double _minX, _maxX, _minY, _maxY;

        public Panel(StringBuilder svg, All2AllFigures[] figures, string[] strategies)
        {
            (_svg, _figures, _strategies) = (svg, figures, strategies);
            (_minX, _maxX) = Range(figures.Select(f => (double)f.Tokens), 1.3);
            (_minY, _maxY) = Range(figures.Select(f => f.TotalUs.P50), 1.5);
        }

        public void Draw(string title)
        {
            _svg.Append(CultureInfo.InvariantCulture,
                $"<text x=\"{Left}\" y=\"22\" font-size=\"14\" font-weight=\"bold\">{title}</text>\n");
            _svg.Append(CultureInfo.InvariantCulture,
                $"<text x=\"{Left}\" y=\"40\" fill=\"#555\">total p50 in µs; ring: the cheapest; diamond: the router's pick</text>\n");
            Axes();
            var labels = new List<(double Y, string Name, string Colour)>();
            foreach ((string strategy, int i) in _strategies.Select((s, i) => (s, i)))
            {
                All2AllFigures[] line = [.. _figures.Where(f => f.Strategy == strategy).OrderBy(f => f.Tokens)];
                if (line.Length == 0) continue;
                string colour = s_colours[i % s_colours.Length];
                Line(line, colour);
                labels.Add((Y(line[^1].TotalUs.P50), strategy, colour));
            }
            Labels(labels);
        }

        private static (double Min, double Max) Range(IEnumerable<double> values, double margin)
        {
            double[] all = [.. values.Select(v => Math.Max(v, 1e-3))];
            return (all.Min() / margin, all.Max() * margin);
        }

        private double X(double tokens) => Left + PlotWidth * Math.Log(tokens / _minX) / Math.Log(_maxX / _minX);

        private double Y(double us) =>
            Top + PlotHeight * (1 - Math.Log(Math.Max(us, 1e-3) / _minY) / Math.Log(_maxY / _minY));

        private void Axes()
        {
            foreach (int tokens in _figures.Select(f => f.Tokens).Distinct())
            {
                double x = X(tokens);
                Append($"<line x1=\"{x:0.#}\" y1=\"{Top}\" x2=\"{x:0.#}\" y2=\"{Top + PlotHeight:0.#}\" stroke=\"#eee\"/>");
                Append($"<text x=\"{x:0.#}\" y=\"{Top + PlotHeight + 18:0.#}\" text-anchor=\"middle\">{tokens}</text>");
            }
            for (double decade = Math.Pow(10, Math.Floor(Math.Log10(_minY))); decade <= _maxY; decade *= 10)
            {
                foreach (double us in (double[])[decade, 2 * decade, 5 * decade])
                {
                    if (us < _minY || us > _maxY) continue;
                    double y = Y(us);
                    Append($"<line x1=\"{Left}\" y1=\"{y:0.#}\" x2=\"{Left + PlotWidth:0.#}\" y2=\"{y:0.#}\" stroke=\"#ddd\"/>");
                    Append($"<text x=\"{Left - 6}\" y=\"{y + 4:0.#}\" text-anchor=\"end\">{us:0.###}</text>");
                }
            }
            Append($"<rect x=\"{Left}\" y=\"{Top}\" width=\"{PlotWidth}\" height=\"{PlotHeight}\" fill=\"none\" stroke=\"#888\"/>");
            Append($"<text x=\"{Left + PlotWidth / 2:0.#}\" y=\"{PanelHeight - 14}\" text-anchor=\"middle\">tokens per rank</text>");
        }

        private void Line(All2AllFigures[] line, string colour)
        {
            string points = string.Join(' ', line.Select(f =>
                FormattableString.Invariant($"{X(f.Tokens):0.#},{Y(f.TotalUs.P50):0.#}")));
            Append($"<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"/>");
            foreach (All2AllFigures f in line)
            {
                double x = X(f.Tokens), y = Y(f.TotalUs.P50);
                Append($"<circle cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"2.6\" fill=\"{colour}\"/>");
                if (f.Cheapest) Append($"<circle cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"7\" fill=\"none\" stroke=\"{colour}\"/>");
                if (f.AutoPick)
                    Append($"<path d=\"M{x:0.#} {y - 5:0.#} l5 5 l-5 5 l-5 -5 z\" fill=\"{colour}\" stroke=\"white\"/>");
            }
        }

        /// <summary>Names at the ends of lines, moved apart where lines end together.</summary>
        private void Labels(List<(double Y, string Name, string Colour)> labels)
        {
            double free = Top;
            foreach ((double y, string name, string colour) in labels.OrderBy(l => l.Y))
            {
                // What is left below must have room too.
                double lowest = Top + PlotHeight - LabelHeight * labels.Count(l => l.Y > y);
                double at = Math.Max(free, Math.Min(y, lowest));
                free = at + LabelHeight;
                Append($"<text x=\"{Left + PlotWidth + 8:0.#}\" y=\"{at + 4:0.#}\" fill=\"{colour}\">{name}</text>");
            }
        }

        private void Append(FormattableString text) => _svg.Append(text.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }
}
