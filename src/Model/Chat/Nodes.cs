namespace Troupe.Model.Chat;

/// <summary>An expression of a template. Line: where it stands, from 1.</summary>
internal abstract record Node(int Line)
{
    /// <summary>A value that stands in the template.</summary>
    public sealed record Constant(int Line, object? Value) : Node(Line);

    /// <summary>A variable.</summary>
    public sealed record Name(int Line, string Text) : Node(Line);

    /// <summary>[a, b], or (a, b) with Fixed.</summary>
    public sealed record List(int Line, IReadOnlyList<Node> Items, bool Fixed) : Node(Line);

    /// <summary>{a: b}.</summary>
    public sealed record Map(int Line, IReadOnlyList<(Node Key, Node Value)> Items) : Node(Line);

    /// <summary>value.name.</summary>
    public sealed record Member(int Line, Node Value, string Text) : Node(Line);

    /// <summary>value[key].</summary>
    public sealed record Item(int Line, Node Value, Node Key) : Node(Line);

    /// <summary>value[start:stop:step].</summary>
    public sealed record Slice(int Line, Node Value, Node? Start, Node? Stop, Node? Step) : Node(Line);

    /// <summary>value(...).</summary>
    public sealed record Call(int Line, Node Value, Arguments Arguments) : Node(Line);

    /// <summary>value | name(...). Value is null where a block is filtered.</summary>
    public sealed record Filter(int Line, Node? Value, string Text, Arguments Arguments) : Node(Line);

    /// <summary>value is name(...).</summary>
    public sealed record Test(int Line, Node Value, string Text, Arguments Arguments) : Node(Line);

    /// <summary>not, - or + before a value.</summary>
    public sealed record Unary(int Line, string Sign, Node Value) : Node(Line);

    /// <summary>Two values and what is between them: arithmetic, ~, and, or.</summary>
    public sealed record Binary(int Line, string Sign, Node Left, Node Right) : Node(Line);

    /// <summary>a &lt; b &lt;= c.</summary>
    public sealed record Compare(int Line, Node First, IReadOnlyList<(string Sign, Node Value)> Rest) : Node(Line);

    /// <summary>a if b else c.</summary>
    public sealed record Choice(int Line, Node Condition, Node Then, Node? Else) : Node(Line);
}

/// <summary>Arguments as they stand in a template.</summary>
internal sealed record Arguments(IReadOnlyList<Node> Plain, IReadOnlyList<(string Name, Node Value)> Named, Node? Rest, Node? NamedRest)
{
    /// <summary>None.</summary>
    public static Arguments None { get; } = new([], [], null, null);
}

/// <summary>A statement of a template.</summary>
internal abstract record Statement(int Line)
{
    /// <summary>Text as it is.</summary>
    public sealed record Data(int Line, string Text) : Statement(Line);

    /// <summary>The text of a value.</summary>
    public sealed record Output(int Line, Node Value) : Statement(Line);

    /// <summary>The first branch whose condition is true; that of else has none.</summary>
    public sealed record If(int Line, IReadOnlyList<(Node? Condition, IReadOnlyList<Statement> Body)> Branches) : Statement(Line);

    /// <summary>A loop; Otherwise runs where there is nothing to loop over. Recursive: its body can run it over other items.</summary>
    public sealed record For(int Line, Node Target, Node Items, Node? Condition, bool Recursive, IReadOnlyList<Statement> Body,
        IReadOnlyList<Statement> Otherwise) : Statement(Line);

    /// <summary>Sets a name, several names, or a member of a namespace.</summary>
    public sealed record Set(int Line, Node Target, Node Value) : Statement(Line);

    /// <summary>Sets a name to the text of a block, filtered.</summary>
    public sealed record SetBlock(int Line, Node Target, IReadOnlyList<Node.Filter> Filters, IReadOnlyList<Statement> Body)
        : Statement(Line);

    /// <summary>Defines a macro.</summary>
    public sealed record Macro(int Line, string Name, IReadOnlyList<(string Name, Node? Default)> Parameters, IReadOnlyList<Statement> Body)
        : Statement(Line)
    {
        /// <summary>Names in its body; only where varargs and kwargs are among them it takes more arguments than it names.</summary>
        public required IReadOnlySet<string> Used { get; init; }
    }

    /// <summary>Calls a macro that can call the body back.</summary>
    public sealed record CallBlock(int Line, Node.Call Call, Macro Caller) : Statement(Line);

    /// <summary>Writes the text of a block, filtered.</summary>
    public sealed record FilterBlock(int Line, IReadOnlyList<Node.Filter> Filters, IReadOnlyList<Statement> Body) : Statement(Line);

    /// <summary>Names that hold within a block.</summary>
    public sealed record With(int Line, IReadOnlyList<(Node Target, Node Value)> Names, IReadOnlyList<Statement> Body) : Statement(Line);

    /// <summary>Leaves the loop, or with Next only this turn of it.</summary>
    public sealed record Leave(int Line, bool Next) : Statement(Line);
}
