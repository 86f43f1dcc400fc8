using Spectre.Console;

namespace Troupe.Cli.Output;

/// <summary>A table: drawn for a person at a terminal, aligned columns of plain text in a pipe.</summary>
internal sealed class Grid(params string[] columns)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Columns whose values are numbers: aligned to the right.</summary>
    public HashSet<string> Numbers { get; init; } = [];

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
        if (shell.OutIsTerminal) shell.Console().Write(Drawn());
        else WritePlain(shell.Out);
    }

    /// <summary>The table for a terminal.</summary>
    public Table Drawn()
    {
        var table = new Table { Border = TableBorder.Rounded };
        foreach (string column in columns)
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))) { Alignment = Align(column),
                NoWrap = Numbers.Contains(column) });
        foreach (string[] row in _rows) table.AddRow(row.Select(v => new Text(v)));
        return table;
    }

    private Justify Align(string column) => Numbers.Contains(column) ? Justify.Right : Justify.Left;

    private void WritePlain(TextWriter to)
    {
        int[] widths = [.. columns.Select((c, i) => _rows.Select(r => r[i].Length).Append(c.Length).Max())];
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
