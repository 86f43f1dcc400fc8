using Spectre.Console;

namespace Troupe.Cli.Output;

/// <summary>A table: drawn for a person at a terminal, aligned columns of plain text in a pipe.</summary>
internal sealed class Grid(params string[] columns)
{
    private const int MinClipped = 8;
    private readonly List<string[]> _rows = [];

    /// <summary>Columns whose values are numbers: aligned to the right.</summary>
    public HashSet<string> Numbers { get; init; } = [];

    /// <summary>A column whose text is cut where a terminal is too narrow for it, so that a row stays one line; null for none.</summary>
    public string? Clipped { get; init; }

    /// <summary>Adds a row; one value per column.</summary>
    public Grid Row(params string[] values)
    {
        if (values.Length != columns.Length)
            throw new ArgumentException($"a row has {columns.Length} values, got {values.Length}", nameof(values));
        _rows.Add(values);
        return this;
    }

    /// <summary>Writes it where a person or a pipe reads.</summary>
    public void WriteTo(Shell shell)
    {
        if (shell.OutIsTerminal) shell.Console().Write(Drawn(shell.Width));
        else WritePlain(shell.Out);
    }

    /// <summary>The table for a terminal of some columns.</summary>
    public Table Drawn(int width)
    {
        var table = new Table { Border = TableBorder.Rounded };
        var bold = new Style(decoration: Decoration.Bold);
        foreach (string column in columns)
        {
            bool whole = Numbers.Contains(column) || Clipped is not null;
            table.AddColumn(new TableColumn(new Text(column, bold)) { Alignment = Align(column), NoWrap = whole });
        }
        int clip = Clipped is null ? -1 : Array.IndexOf(columns, Clipped);
        int room = clip < 0 ? 0 : Math.Max(MinClipped, width - Widths().Where((_, i) => i != clip).Sum() - Frame(columns.Length));
        foreach (string[] row in _rows) table.AddRow(row.Select((v, i) => new Text(i == clip ? Clip(v, room) : v)));
        return table;
    }

    /// <summary>Columns of the frame: a line and a blank on both sides of each value.</summary>
    private static int Frame(int columns) => (3 * columns) + 1;

    private static string Clip(string text, int room) => text.Length <= room ? text : string.Concat(text.AsSpan(0, room - 1), "\u2026");

    private int[] Widths() => [.. columns.Select((c, i) => _rows.Select(r => r[i].Length).Append(c.Length).Max())];

    private Justify Align(string column) => Numbers.Contains(column) ? Justify.Right : Justify.Left;

    private void WritePlain(TextWriter to)
    {
        int[] widths = Widths();
        foreach (string[] row in _rows.Prepend(columns))
        {
            IEnumerable<string> cells = row.Select((v, i) => Numbers.Contains(columns[i]) ? v.PadLeft(widths[i]) : v.PadRight(widths[i]));
            to.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }
}

/// <summary>Spectre's console on our streams.</summary>
internal static class Consoles
{
    /// <summary>For results.</summary>
    public static IAnsiConsole Console(this Shell shell) => Make(shell, shell.Out, shell.OutIsTerminal);

    /// <summary>For progress.</summary>
    public static IAnsiConsole ErrorConsole(this Shell shell) => Make(shell, shell.Error, shell.ErrorIsTerminal);

    private static IAnsiConsole Make(Shell shell, TextWriter writer, bool terminal)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = terminal ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = terminal && shell.Color ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = terminal ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = shell.Width;
        return console;
    }
}
