using System.Text;
using Spectre.Console;
using Spectre.Console.Rendering;
using Troupe.Actors.Reports;
using Troupe.Cli.Running;

namespace Troupe.Cli.Output;

/// <summary>
/// What a person sees while the demo runs: the ends of the texts, and the last steps below them. Small enough for 24 lines.
/// </summary>
internal sealed class DemoView(Shell shell, IReadOnlyList<string> prompts)
{
    private const int TextLines = 4, Steps = 5, Columns = 2, PanelFrame = 4;
    private readonly Lock _gate = new();
    private readonly StringBuilder[] _texts = [.. prompts.Select(p => new StringBuilder(p))];
    private readonly string?[] _reasons = new string?[prompts.Count];
    private readonly int[] _tokens = new int[prompts.Count];

    /// <summary>Takes in what happened to a request.</summary>
    public void On(BatchEvent happened)
    {
        lock (_gate)
        {
            _texts[happened.Index].Append(happened.Text);
            (_tokens[happened.Index], _reasons[happened.Index]) = (happened.Tokens, happened.Reason);
        }
    }

    /// <summary>The picture now.</summary>
    public IRenderable Draw(IReadOnlyList<ExplainReport> steps)
    {
        int width = (shell.Width / Columns) - PanelFrame;
        var texts = new Table { Border = TableBorder.None, ShowHeaders = false, Expand = true };
        for (int i = 0; i < Columns; i++) texts.AddColumn(new TableColumn("") { Padding = new Padding(0) });
        lock (_gate)
        {
            IRenderable[] panels = [.. prompts.Select((_, i) => Panel(i, width))];
            foreach (IRenderable[] row in panels.Chunk(Columns)) texts.AddRow(row);
        }
        return new Rows(texts, StatusTables.Steps(steps.TakeLast(Steps)).Drawn(shell.Width));
    }

    private Panel Panel(int index, int width)
    {
        string[] lines = [.. Lines(_texts[index].ToString(), width).TakeLast(TextLines)];
        string text = string.Join('\n', lines.Concat(Enumerable.Repeat("", TextLines - lines.Length)));
        string head = _reasons[index] is { } reason ? $" {reason} after {_tokens[index]} tokens " : $" {_tokens[index]} tokens ";
        return new Panel(new Text(text)) { Header = new PanelHeader(head), Border = BoxBorder.Rounded, Expand = true };
    }

    private static IEnumerable<string> Lines(string text, int width) => text.Split('\n').SelectMany(line => line.Length == 0 ? [""]
        : Enumerable.Range(0, (line.Length + width - 1) / width)
            .Select(i => line.Substring(i * width, Math.Min(width, line.Length - (i * width)))));
}
