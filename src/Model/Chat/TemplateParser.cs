namespace Troupe.Model.Chat;

/// <summary>Reads the statements of a template.</summary>
internal sealed class TemplateParser : ExpressionParser
{
    private const int MaxDepth = 64;
    private static readonly string[] Known = ["if", "for", "set", "macro", "call", "filter", "with", "generation", "break", "continue"];
    private int _depth, _loops;

    private TemplateParser(IReadOnlyList<TemplateToken> tokens) : base(tokens) { }

    /// <summary>The statements of a template.</summary>
    /// <exception cref="TemplateFault">It is broken or uses what is not supported; the fault has the line.</exception>
    public static IReadOnlyList<Statement> Parse(string template)
    {
        var parser = new TemplateParser(TemplateLexer.Read(template));
        (List<Statement> body, string end) = parser.Body();
        return end.Length == 0 ? body : throw parser.Wrong($"{end} closes nothing");
    }

    /// <summary>Statements up to one of these names, which is taken; no names: up to the template's end.</summary>
    private (List<Statement> Body, string End) Body(params ReadOnlySpan<string> ends)
    {
        if (++_depth > MaxDepth) throw Wrong($"more than {MaxDepth} statements in each other");
        var body = new List<Statement>();
        while (Current.Kind != TokenKind.End)
        {
            TemplateToken token = Next();
            if (token.Kind == TokenKind.Data)
            {
                body.Add(new Statement.Data(token.Line, token.Text));
            }
            else if (token.Kind == TokenKind.OutputBegin)
            {
                body.Add(new Statement.Output(token.Line, TupleOrOne()));
                if (Next().Kind != TokenKind.OutputEnd) throw new TemplateFault($"'}}}}' is wanted behind the expression", token.Line);
            }
            else if (Current.Kind == TokenKind.Name && ends.Contains(Current.Text))
            {
                _depth--;
                return (body, Next().Text);
            }
            else
            {
                body.AddRange(One());
            }
        }
        if (ends.Length > 0) throw Wrong($"the template ends where {ends[^1]} is wanted");
        _depth--;
        return (body, "");
    }

    private List<Statement> Block(string end)
    {
        (List<Statement> body, _) = Body(end);
        EndTag();
        return body;
    }

    private List<Statement> One()
    {
        int line = Current.Line;
        string name = ExpectName();
        switch (name)
        {
            case "if": return [If(line)];
            case "for": return [For(line)];
            case "set": return [Set(line)];
            case "macro": return [Macro(line)];
            case "call": return [Call(line)];
            case "with": return [With(line)];
            case "filter":
                var filters = new List<Node.Filter> { FilterName(null) };
                filters.AddRange(Filters());
                EndTag();
                return [new Statement.FilterBlock(line, filters, Block("endfilter"))];
            case "generation":
                // Marks what an assistant wrote, for training: here only its text counts.
                EndTag();
                return Block("endgeneration");
            case "break" or "continue":
                if (_loops == 0) throw new TemplateFault($"{name} outside of a loop", line);
                EndTag();
                return [new Statement.Leave(line, name == "continue")];
            case "include" or "import" or "from" or "extends" or "block":
                throw new TemplateFault($"the statement {name} is not supported: a chat template is one file", line);
            default:
                throw new TemplateFault($"the statement {name} is not known; known are {string.Join(", ", Known)}", line);
        }
    }

    private Statement.If If(int line)
    {
        var branches = new List<(Node?, IReadOnlyList<Statement>)>();
        Node? condition = TupleOrOne(choice: false);
        while (true)
        {
            EndTag();
            bool last = condition is null;
            (List<Statement> body, string end) = last ? Body("endif") : Body("elif", "else", "endif");
            branches.Add((condition, body));
            if (end == "endif") break;
            condition = end == "elif" ? TupleOrOne(choice: false) : null;
        }
        EndTag();
        return new Statement.If(line, branches);
    }

    private Statement.For For(int line)
    {
        Node target = Target(members: false);
        if (!TakeName("in")) throw Wrong($"'in' is wanted, got {Shown(Current)}");
        Node items = TupleOrOne(choice: false);
        Node? condition = TakeName("if") ? Expression() : null;
        bool recursive = TakeName("recursive");
        EndTag();
        _loops++;
        (List<Statement> body, string end) = Body("else", "endfor");
        _loops--;
        EndTag();
        return new Statement.For(line, target, items, condition, recursive, body, end == "else" ? Block("endfor") : []);
    }

    private Statement Set(int line)
    {
        Node target = Target(members: true);
        if (TakeSign("="))
        {
            Node value = TupleOrOne();
            EndTag();
            return new Statement.Set(line, target, value);
        }
        List<Node.Filter> filters = Filters();
        EndTag();
        return new Statement.SetBlock(line, target, filters, Block("endset"));
    }

    private Statement.Macro Macro(int line)
    {
        string name = ExpectName();
        List<(string, Node?)> parameters = Parameters();
        EndTag();
        return MacroOf(line, name, parameters, "endmacro");
    }

    private Statement.CallBlock Call(int line)
    {
        List<(string, Node?)> parameters = IsSign("(") ? Parameters() : [];
        if (Postfix(Expression()) is not Node.Call call) throw Wrong("call wants a call of a macro");
        EndTag();
        return new Statement.CallBlock(line, call, MacroOf(line, "caller", parameters, "endcall"));
    }

    /// <summary>A body of its own: outside of all loops, and with names of its own.</summary>
    private Statement.Macro MacroOf(int line, string name, List<(string, Node?)> parameters, string end)
    {
        (int loops, HashSet<string> used) = (_loops, Used);
        (_loops, Used) = (0, new HashSet<string>(StringComparer.Ordinal));
        var macro = new Statement.Macro(line, name, parameters, Block(end)) { Used = Used };
        (_loops, Used) = (loops, used);
        return macro;
    }

    private List<(string, Node?)> Parameters()
    {
        var parameters = new List<(string, Node?)>();
        Expect("(");
        while (!TakeSign(")"))
        {
            if (parameters.Count > 0) Expect(",");
            string name = ExpectName();
            parameters.Add((name, TakeSign("=") ? Expression() : null));
        }
        return parameters;
    }

    private Statement.With With(int line)
    {
        var names = new List<(Node, Node)>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (names.Count > 0) Expect(",");
            Node target = new Node.Name(Current.Line, ExpectName());
            Expect("=");
            names.Add((target, Expression()));
        }
        EndTag();
        return new Statement.With(line, names, Block("endwith"));
    }

    private void EndTag()
    {
        if (Current.Kind != TokenKind.BlockEnd) throw Wrong($"'%}}' is wanted, got {Shown(Current)}");
        Next();
    }
}
