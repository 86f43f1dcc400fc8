using System.Text;

namespace Troupe.Model.Chat;

/// <summary>Computes expressions.</summary>
internal sealed class Evaluator(TemplateBudget budget)
{
    private readonly Filters _filters = new(budget);
    private readonly Members _members = new(budget);

    /// <summary>The line that is being computed.</summary>
    public int Line { get; set; }

    /// <summary>The value of an expression.</summary>
    public object? Value(Node node, Scope scope)
    {
        budget.Spend();
        budget.Enter();
        Line = node.Line;
        object? value = node switch
        {
            Node.Constant constant => constant.Value,
            Node.Name name => scope.TryGet(name.Text, out object? known) ? known : new Undefined($"'{name.Text}' is undefined"),
            Node.List list => ListOf(list, scope),
            Node.Map map => MapOf(map, scope),
            Node.Member member => _members.Member(Value(member.Value, scope), member.Text),
            Node.Item item => _members.Item(Value(item.Value, scope), Value(item.Key, scope)),
            Node.Slice slice => SliceOf(slice, scope),
            Node.Call call => Call(call, scope),
            Node.Filter filter => Filter(filter, Value(filter.Value!, scope), scope),
            Node.Test test => _filters.Test(test.Text, Value(test.Value, scope), ArgumentsOf(test.Arguments, scope)),
            Node.Unary unary => Unary(unary, Value(unary.Value, scope)),
            Node.Binary binary => Binary(binary, scope),
            Node.Compare compare => Compare(compare, scope),
            Node.Choice choice => Values.Truth(Value(choice.Condition, scope)) ? Value(choice.Then, scope)
                : choice.Else is { } otherwise ? Value(otherwise, scope)
                    : new Undefined("the inline if-expression was false and has no else"),
            _ => throw new TemplateFault($"{node.GetType().Name} cannot be computed"),
        };
        budget.Leave();
        return value;
    }

    /// <summary>A filter of a value.</summary>
    public object? Filter(Node.Filter filter, object? value, Scope scope)
    {
        CallArguments arguments = ArgumentsOf(filter.Arguments, scope);
        Line = filter.Line;
        return _filters.Apply(filter.Text, value, arguments);
    }

    /// <summary>Arguments as they are when called.</summary>
    public CallArguments ArgumentsOf(Arguments arguments, Scope scope)
    {
        var plain = arguments.Plain.Select(node => Value(node, scope)).ToList();
        var named = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach ((string name, Node node) in arguments.Named) named[name] = Value(node, scope);
        if (arguments.Rest is { } rest)
        {
            IReadOnlyList<object?> more = Filters.Items(Value(rest, scope));
            budget.Spend(more.Count);
            plain.AddRange(more);
        }
        if (arguments.NamedRest is { } namedRest)
            foreach ((object key, object? value) in
                Value(namedRest, scope) as Map ?? throw new TemplateFault("a mapping is wanted behind **"))
            {
                budget.Spend();
                named[key as string ?? throw new TemplateFault("keywords must be strings")] = value;
            }
        return new CallArguments(plain, named);
    }

    private object? Call(Node.Call call, Scope scope)
    {
        object? called = Value(call.Value, scope);
        CallArguments arguments = ArgumentsOf(call.Arguments, scope);
        Line = call.Line;
        return called switch
        {
            Function function => function.Run(arguments),
            LoopState { Again: { } again } => again.Run(arguments),
            LoopState => throw new TemplateFault("The loop must have the 'recursive' marker to be called recursively."),
            Undefined undefined => throw undefined.Fault(),
            _ => throw new TemplateFault($"'{Values.Kind(called)}' object is not callable"),
        };
    }

    private object ListOf(Node.List list, Scope scope)
    {
        var items = list.Items.Select(node => Value(node, scope)).ToList();
        return list.Fixed ? new Fixed(items) : items;
    }

    private Map MapOf(Node.Map map, Scope scope)
    {
        var result = new Map();
        foreach ((Node key, Node value) in map.Items) result[Values.Key(Value(key, scope))] = Value(value, scope);
        return result;
    }

    private object? SliceOf(Node.Slice slice, Scope scope)
    {
        object? value = Value(slice.Value, scope);
        long? Bound(Node? node) => node is null || Value(node, scope) is not { } bound ? null
            : Values.AsLong(bound) ?? throw new TemplateFault("slice indices must be integers or None");
        long? start = Bound(slice.Start), stop = Bound(slice.Stop), step = Bound(slice.Step);
        return Slices.Of(value, start, stop, step ?? 1, budget);
    }

    private static object? Unary(Node.Unary unary, object? value)
    {
        if (unary.Sign == "not") return !Values.Truth(value);
        if (value is Undefined undefined) throw undefined.Fault();
        return (unary.Sign, value) switch
        {
            ("-", long.MinValue) => throw new TemplateFault("a whole number grows beyond 64 bits"),
            (_, bool or long) => (object)(unary.Sign == "-" ? -Values.AsLong(value)!.Value : Values.AsLong(value)!.Value),
            (_, double number) => unary.Sign == "-" ? -number : number,
            _ => throw new TemplateFault($"bad operand type for unary {unary.Sign}: '{Values.Kind(value)}'"),
        };
    }

    private object? Binary(Node.Binary binary, Scope scope)
    {
        object? left = Value(binary.Left, scope);
        if (binary.Sign == "and") return Values.Truth(left) ? Value(binary.Right, scope) : left;
        if (binary.Sign == "or") return Values.Truth(left) ? left : Value(binary.Right, scope);
        object? right = Value(binary.Right, scope);
        Line = binary.Line;
        if (binary.Sign == "~") return Joined(Values.Text(left), Values.Text(right));
        if ((left as Undefined ?? right as Undefined) is { } undefined) throw undefined.Fault();
        return binary.Sign switch
        {
            "+" => Added(left, right),
            "*" when left is string or List<object?> or Fixed => Repeated(left, right),
            "*" when right is string or List<object?> or Fixed => Repeated(right, left),
            "%" when left is string format => budget.Made(Formats.Percent(format, right)),
            _ => Arithmetic.Of(binary.Sign, left, right),
        };
    }

    private object Added(object? left, object? right)
    {
        switch (left, right)
        {
            case (string one, string other): return Joined(one, other);
            case (List<object?> one, List<object?> other):
                budget.Spend(one.Count + other.Count);
                return new List<object?>([.. one, .. other]);
            case (Fixed one, Fixed other):
                budget.Spend(one.Items.Count + other.Items.Count);
                return new Fixed([.. one.Items, .. other.Items]);
            case (string, _): throw new TemplateFault($"can only concatenate str (not \"{Values.Kind(right)}\") to str");
            default: return Arithmetic.Of("+", left, right);
        }
    }

    private string Joined(string one, string other)
    {
        budget.Room((long)one.Length + other.Length);
        return one + other;
    }

    private object Repeated(object value, object? times)
    {
        long count = Values.AsLong(times) is { } asked ? Math.Max(0, asked)
            : throw new TemplateFault($"can't multiply sequence by non-int of type '{Values.Kind(times)}'");
        long length = value is string given ? given.Length : Values.ItemsOf(value)!.Count;
        if (length == 0) count = 0;
        budget.Room(count > TemplateBudget.MaxText ? long.MaxValue : count * length);
        if (value is string text) return new StringBuilder().Insert(0, text, (int)count).ToString();
        budget.Spend(count * length);
        var items = Enumerable.Repeat(Values.ItemsOf(value)!, (int)count).SelectMany(item => item).ToList();
        return value is Fixed ? new Fixed(items) : items;
    }

    private bool Compare(Node.Compare compare, Scope scope)
    {
        object? left = Value(compare.First, scope);
        foreach ((string sign, Node node) in compare.Rest)
        {
            object? right = Value(node, scope);
            Line = node.Line;
            bool holds = sign switch
            {
                "==" => Values.Same(left, right),
                "!=" => !Values.Same(left, right),
                "in" => _members.Contains(right, left),
                "not in" => !_members.Contains(right, left),
                _ => Ordered(sign, left, right),
            };
            if (!holds) return false;
            left = right;
        }
        return true;
    }

    private static bool Ordered(string sign, object? left, object? right)
    {
        if ((left as Undefined ?? right as Undefined) is { } undefined) throw undefined.Fault();
        if (left is double.NaN || right is double.NaN) return false;
        int order = Values.Order(left, right, sign);
        return sign switch { "<" => order < 0, ">" => order > 0, "<=" => order <= 0, _ => order >= 0 };
    }
}
