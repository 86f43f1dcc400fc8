using System.Text;

namespace Troupe.Model.Chat;

/// <summary>Reads the expressions of a template, by Jinja's precedences.</summary>
internal class ExpressionParser(IReadOnlyList<TemplateToken> tokens)
{
    private const int MaxDepth = 64, MaxChain = 256;
    private int _at, _depth;

    /// <summary>Names that were read, in the macro that is read.</summary>
    protected HashSet<string> Used { get; set; } = new(StringComparer.Ordinal);

    /// <summary>The token that is read next.</summary>
    protected TemplateToken Current => tokens[_at];

    /// <summary>The one behind it.</summary>
    protected TemplateToken Following => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    /// <summary>Takes the current token.</summary>
    protected TemplateToken Next() => tokens[_at == tokens.Count - 1 ? _at : _at++];

    /// <summary>Any expression, with a choice if allowed.</summary>
    protected Node Expression(bool choice = true)
    {
        if (++_depth > MaxDepth) throw Wrong($"more than {MaxDepth} expressions in each other");
        Node value = Or();
        while (choice && TakeName("if"))
        {
            Node condition = Or();
            value = new Node.Choice(value.Line, condition, value, TakeName("else") ? Expression() : null);
        }
        _depth--;
        return value;
    }

    /// <summary>One expression, or several with commas between them: then a tuple.</summary>
    protected Node TupleOrOne(bool choice = true, bool mayBeEmpty = false)
    {
        int line = Current.Line;
        var items = new List<Node>();
        bool comma = false;
        while (!EndsTuple())
        {
            items.Add(Expression(choice));
            if (!TakeSign(",")) break;
            comma = true;
        }
        if (items.Count == 0 && !mayBeEmpty) throw Wrong($"an expression is wanted, got {Shown(Current)}");
        return items.Count == 1 && !comma ? items[0] : new Node.List(line, items, Fixed: true);
    }

    /// <summary>What can be set: a name, several, or a member of one.</summary>
    protected Node Target(bool members)
    {
        int line = Current.Line;
        var items = new List<Node>();
        do
        {
            if (IsSign(")") || Current.Kind == TokenKind.BlockEnd) break;
            items.Add(TakeSign("(") ? Inner() : OneTarget(members));
        }
        while (TakeSign(","));
        return items.Count == 1 ? items[0] : new Node.List(line, items, Fixed: true);
        Node Inner()
        {
            if (++_depth > MaxDepth) throw Wrong($"more than {MaxDepth} targets in each other");
            Node inner = Target(members: false);
            _depth--;
            Expect(")");
            return inner;
        }
    }

    private Node OneTarget(bool members)
    {
        TemplateToken name = Current;
        string text = ExpectName();
        if (!members || !TakeSign(".")) return new Node.Name(name.Line, text);
        return new Node.Member(name.Line, new Node.Name(name.Line, text), ExpectName());
    }

    private bool EndsTuple() => Current.Kind is TokenKind.OutputEnd or TokenKind.BlockEnd or TokenKind.End || IsSign(")")
        || (Current.Kind == TokenKind.Name && Current.Text is "in" or "recursive");

    private Node Or() => Chain(And, "or");

    private Node And() => Chain(Not, "and");

    private Node Chain(Func<Node> part, string name)
    {
        Node left = part();
        for (int i = 0; TakeName(name); i++) left = new Node.Binary(left.Line, name, left, Bounded(i, part));
        return left;
    }

    private Node Not()
    {
        int nots = 0, line = Current.Line;
        while (IsName("not") && !(Following is { Kind: TokenKind.Name, Text: "in" }))
        {
            Next();
            if (++nots > MaxDepth) throw Wrong("too many nots");
        }
        Node value = Comparison();
        for (; nots > 0; nots--) value = new Node.Unary(line, "not", value);
        return value;
    }

    private Node Comparison()
    {
        Node first = Sum();
        var rest = new List<(string, Node)>();
        while (true)
        {
            string? sign = null;
            if (Current.Kind == TokenKind.Sign && Current.Text is "==" or "!=" or "<" or ">" or "<=" or ">=") sign = Next().Text;
            else if (TakeName("in")) sign = "in";
            else if (IsName("not") && Following is { Kind: TokenKind.Name, Text: "in" }) (sign, _, _) = ("not in", Next(), Next());
            if (sign is null) break;
            rest.Add((sign, Bounded(rest.Count, Sum)));
        }
        return rest.Count == 0 ? first : new Node.Compare(first.Line, first, rest);
    }

    private Node Sum() => Signs(Joined, "+", "-");

    private Node Joined() => Signs(Product, "~");

    private Node Product() => Signs(Power, "*", "/", "//", "%");

    private Node Power() => Signs(() => Unary(filters: true), "**");

    private Node Signs(Func<Node> part, params string[] signs)
    {
        Node left = part();
        for (int i = 0; Current.Kind == TokenKind.Sign && signs.Contains(Current.Text); i++)
        {
            TemplateToken sign = Next();
            left = new Node.Binary(sign.Line, sign.Text, left, Bounded(i, part));
        }
        return left;
    }

    private Node Bounded(int count, Func<Node> part) =>
        count < MaxChain ? part() : throw Wrong($"more than {MaxChain} operators of one kind in a row");

    private Node Unary(bool filters)
    {
        Node value;
        if (IsSign("-") || IsSign("+"))
        {
            TemplateToken sign = Next();
            if (++_depth > MaxDepth) throw Wrong("too many signs");
            value = new Node.Unary(sign.Line, sign.Text, Unary(filters: false));
            _depth--;
        }
        else
        {
            value = Primary();
        }
        value = Postfix(value);
        for (int i = 0; filters; i++)
        {
            if (i > MaxChain) throw Wrong($"more than {MaxChain} filters in a row");
            if (IsSign("|")) value = Filter(value);
            else if (IsName("is")) value = Test(value);
            else if (IsSign("(")) value = new Node.Call(Current.Line, value, CallArguments());
            else break;
        }
        return value;
    }

    private Node Primary()
    {
        TemplateToken token = Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                Used.Add(token.Text);
                return token.Text switch
                {
                    "true" or "True" => new Node.Constant(token.Line, true),
                    "false" or "False" => new Node.Constant(token.Line, false),
                    "none" or "None" => new Node.Constant(token.Line, null),
                    _ => new Node.Name(token.Line, token.Text),
                };
            case TokenKind.Text:
                if (Current.Kind != TokenKind.Text) return new Node.Constant(token.Line, token.Text);
                var text = new StringBuilder(token.Text);
                while (Current.Kind == TokenKind.Text) text.Append(Next().Text);
                return new Node.Constant(token.Line, text.ToString());
            case TokenKind.Number:
                return new Node.Constant(token.Line, token.Value);
            case TokenKind.Sign when token.Text == "(":
                Node inner = TupleOrOne(mayBeEmpty: true);
                Expect(")");
                return inner;
            case TokenKind.Sign when token.Text == "[":
                return new Node.List(token.Line, Items("]", () => Expression()), Fixed: false);
            case TokenKind.Sign when token.Text == "{":
                return new Node.Map(token.Line, Items("}", Pair));
            default:
                throw new TemplateFault($"an expression is wanted, got {Shown(token)}", token.Line);
        }
    }

    private (Node, Node) Pair()
    {
        Node key = Expression();
        Expect(":");
        return (key, Expression());
    }

    private List<T> Items<T>(string close, Func<T> item)
    {
        var items = new List<T>();
        while (!TakeSign(close))
        {
            if (items.Count > 0)
            {
                Expect(",");
                if (TakeSign(close)) break;
            }
            items.Add(item());
        }
        return items;
    }

    /// <summary>Members, items and calls behind a value.</summary>
    protected Node Postfix(Node value)
    {
        for (int i = 0; ; i++)
        {
            if (i > MaxChain) throw Wrong($"more than {MaxChain} members in a row");
            int line = Current.Line;
            if (TakeSign("."))
            {
                TemplateToken name = Next();
                value = name.Kind switch
                {
                    TokenKind.Name => new Node.Member(line, value, name.Text),
                    TokenKind.Number when name.Value is long => new Node.Item(line, value, new Node.Constant(line, name.Value)),
                    _ => throw new TemplateFault($"a name is wanted behind '.', got {Shown(name)}", line),
                };
            }
            else if (TakeSign("[")) value = Subscript(value, line);
            else if (IsSign("(")) value = new Node.Call(line, value, CallArguments());
            else return value;
        }
    }

    private Node Subscript(Node value, int line)
    {
        Node? start = IsSign(":") ? null : TupleOrOneInBrackets();
        if (start is not null && TakeSign("]")) return new Node.Item(line, value, start);
        Expect(":");
        Node? stop = IsSign(":") || IsSign("]") ? null : Expression();
        Node? step = TakeSign(":") && !IsSign("]") ? Expression() : null;
        Expect("]");
        return new Node.Slice(line, value, start, stop, step);
    }

    private Node TupleOrOneInBrackets()
    {
        Node first = Expression();
        if (!IsSign(",")) return first;
        var items = new List<Node> { first };
        while (TakeSign(",") && !IsSign("]")) items.Add(Expression());
        return new Node.List(first.Line, items, Fixed: true);
    }

    private Node.Test TestOf(Node value, int line, string name)
    {
        if (IsSign("(")) return new Node.Test(line, value, name, CallArguments());
        bool argument = Current.Kind is TokenKind.Text or TokenKind.Number || IsSign("[") || IsSign("{")
            || (Current.Kind == TokenKind.Name && Current.Text is not ("else" or "or" or "and"));
        if (argument && IsName("is")) throw Wrong("tests cannot follow each other");
        return new Node.Test(line, value, name, argument ? new Arguments([Postfix(Primary())], [], null, null) : Arguments.None);
    }

    private Node Test(Node value)
    {
        int line = Next().Line;
        bool not = TakeName("not");
        Node.Test test = TestOf(value, line, ExpectName());
        return not ? new Node.Unary(line, "not", test) : test;
    }

    private Node.Filter Filter(Node? value)
    {
        Expect("|");
        return FilterName(value);
    }

    /// <summary>A filter behind its sign.</summary>
    protected Node.Filter FilterName(Node? value)
    {
        int line = Current.Line;
        string name = ExpectName();
        return new Node.Filter(line, value, name, IsSign("(") ? CallArguments() : Arguments.None);
    }

    /// <summary>The filters that stand here, each behind its sign.</summary>
    protected List<Node.Filter> Filters()
    {
        var filters = new List<Node.Filter>();
        while (IsSign("|")) filters.Add(Filter(null));
        return filters;
    }

    private Arguments CallArguments()
    {
        Expect("(");
        var plain = new List<Node>();
        var named = new List<(string, Node)>();
        Node? rest = null, namedRest = null;
        bool comma = false;
        while (!TakeSign(")"))
        {
            if (comma)
            {
                Expect(",");
                if (TakeSign(")")) break;
            }
            comma = true;
            if (TakeSign("*")) rest = Expression();
            else if (TakeSign("**")) namedRest = Expression();
            else if (Current.Kind == TokenKind.Name && Following is { Kind: TokenKind.Sign, Text: "=" })
            {
                string name = Next().Text;
                Next();
                named.Add((name, Expression()));
            }
            else if (named.Count > 0 || rest is not null || namedRest is not null)
                throw Wrong("an argument without a name behind one with a name");
            else plain.Add(Expression());
        }
        return new Arguments(plain, named, rest, namedRest);
    }

    /// <summary>Whether a sign stands here.</summary>
    protected bool IsSign(string sign) => Current.Kind == TokenKind.Sign && Current.Text == sign;

    /// <summary>Whether a name stands here.</summary>
    protected bool IsName(string name) => Current.Kind == TokenKind.Name && Current.Text == name;

    /// <summary>Takes a sign if it stands here.</summary>
    protected bool TakeSign(string sign) => IsSign(sign) && Next().Text == sign;

    /// <summary>Takes a name if it stands here.</summary>
    protected bool TakeName(string name) => IsName(name) && Next().Text == name;

    /// <summary>Takes a sign that must stand here.</summary>
    protected void Expect(string sign)
    {
        if (!TakeSign(sign)) throw Wrong($"'{sign}' is wanted, got {Shown(Current)}");
    }

    /// <summary>Takes a name that must stand here.</summary>
    protected string ExpectName() =>
        Current.Kind == TokenKind.Name ? Next().Text : throw Wrong($"a name is wanted, got {Shown(Current)}");

    /// <summary>A fault at the current token.</summary>
    protected TemplateFault Wrong(string what) => new(what, Current.Line);

    /// <summary>A token in words.</summary>
    protected static string Shown(TemplateToken token) => token.Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.Data => "text",
        TokenKind.OutputBegin => "'{{'",
        TokenKind.OutputEnd => "'}}'",
        TokenKind.BlockBegin => "'{%'",
        TokenKind.BlockEnd => "'%}'",
        _ => $"'{(token.Text.Length <= 40 ? token.Text : token.Text[..40] + "...").ReplaceLineEndings(" ")}'",
    };
}
