using System.Text;

namespace Troupe.Model.Chat;

/// <summary>Runs the statements of a template.</summary>
internal sealed class Renderer
{
    private enum Way { On, Next, Out }

    private readonly TemplateBudget _budget;
    private readonly Evaluator _evaluator;
    private readonly TimeProvider _clock;
    private StringBuilder _output = new();

    private Renderer(TimeProvider clock, TemplateBudget budget) => (_clock, _budget, _evaluator) = (clock, budget, new Evaluator(budget));

    /// <summary>The text of a template with these variables.</summary>
    /// <exception cref="TemplateFault">It cannot be; the fault has the line.</exception>
    public static string Render(IReadOnlyList<Statement> template, IEnumerable<KeyValuePair<string, object?>> variables, TimeProvider clock,
        TemplateBudget budget)
    {
        var renderer = new Renderer(clock, budget);
        TemplateBudget? outer = TemplateBudget.Current;
        try
        {
            TemplateBudget.Current = renderer._budget;
            var globals = new Scope(null);
            renderer.AddGlobals(globals);
            foreach ((string name, object? value) in variables) globals.Set(name, value);
            renderer.Run(template, new Scope(globals));
            return renderer._output.ToString();
        }
        catch (TemplateFault fault) when (fault.Line == 0)
        {
            throw new TemplateFault(fault.Message, renderer._evaluator.Line);
        }
        catch (InsufficientExecutionStackException)
        {
            throw new TemplateFault("the template goes too deep", renderer._evaluator.Line);
        }
        finally
        {
            TemplateBudget.Current = outer;
        }
    }

    private void AddGlobals(Scope scope)
    {
        Function("raise_exception", arguments => throw new TemplateFault(Values.Text(arguments.Must("message"))));
        Function("strftime_now", arguments => TimeText.Format(_clock.GetLocalNow(), arguments.Text("format")));
        Function("range", Range);
        Function("namespace", arguments => new Namespace(Members(arguments)));
        Function("dict", Members);
        void Function(string name, Func<CallArguments, object?> run) => scope.Set(name, new Function(name, run));
    }

    private static Map Members(CallArguments arguments)
    {
        var members = new Map();
        if (arguments.Take("mapping", out object? given))
        {
            if (given is Map map) members = Filters.Copy(map);
            else
                foreach (object? pair in Filters.Items(given))
                    members[Values.Key(Values.ItemsOf(pair) is [var key, _] ? key : throw new TemplateFault("dict wants pairs"))] =
                        Values.ItemsOf(pair)![1];
        }
        foreach ((string name, object? value) in arguments.Named) members[name] = value;
        arguments.Named.Clear();
        arguments.Done("namespace");
        return members;
    }

    private object Range(CallArguments arguments)
    {
        long first = arguments.Whole("start", 0), stop = 0, step = 1;
        if (arguments.More) (stop, step) = (arguments.Whole("stop", 0), arguments.Whole("step", 1));
        else (first, stop) = (0, first);
        arguments.Done("range");
        if (step == 0) throw new TemplateFault("range() arg 3 must not be zero");
        var items = new List<object?>();
        for (long i = first; step > 0 ? i < stop : i > stop; i += step)
        {
            _budget.Spend();
            items.Add(i);
            if (step > 0 ? i > long.MaxValue - step : i < long.MinValue - step) break;
        }
        return items;
    }

    private Way Run(IReadOnlyList<Statement> statements, Scope scope)
    {
        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
        _budget.Enter();
        Way way = Way.On;
        for (int i = 0; i < statements.Count && way == Way.On; i++)
        {
            _budget.Spend();
            _evaluator.Line = statements[i].Line;
            way = Run(statements[i], scope);
        }
        _budget.Leave();
        return way;
    }

    private Way Run(Statement statement, Scope scope)
    {
        switch (statement)
        {
            case Statement.Data data: Write(data.Text); break;
            case Statement.Output output: Write(Values.Text(_evaluator.Value(output.Value, scope))); break;
            case Statement.If choice: return If(choice, scope);
            case Statement.For loop: return For(loop, scope);
            case Statement.Set set: Assign(set.Target, _evaluator.Value(set.Value, scope), scope); break;
            case Statement.SetBlock block: Assign(block.Target, Filtered(block.Filters, block.Body, scope), scope); break;
            case Statement.FilterBlock block: Write(Values.Text(Filtered(block.Filters, block.Body, scope))); break;
            case Statement.Macro macro: scope.Set(macro.Name, Macro(macro, scope)); break;
            case Statement.CallBlock call: Write(Values.Text(CallWith(call, scope))); break;
            case Statement.Leave leave: return leave.Next ? Way.Next : Way.Out;
            case Statement.With with:
                var inner = new Scope(scope);
                foreach ((Node target, Node value) in with.Names) Assign(target, _evaluator.Value(value, scope), inner);
                return Run(with.Body, inner);
        }
        return Way.On;
    }

    private Way If(Statement.If choice, Scope scope)
    {
        foreach ((Node? condition, IReadOnlyList<Statement> body) in choice.Branches)
            if (condition is null || Values.Truth(_evaluator.Value(condition, scope))) return Run(body, scope);
        return Way.On;
    }

    private Way For(Statement.For loop, Scope scope) => Loop(loop, _evaluator.Value(loop.Items, scope), scope, depth: 0);

    private Way Loop(Statement.For loop, object? over, Scope scope, int depth)
    {
        IReadOnlyList<object?> items = Filters.Items(over);
        _budget.Spend(items.Count);
        // A copy: the list is what it was when the loop began.
        items = loop.Condition is { } condition
            ? [.. items.Where(item => Values.Truth(_evaluator.Value(condition, Turn(item))))] : [.. items];
        // What the body writes when it runs the loop again is the outcome of that call.
        var again = loop.Recursive ? new Function("loop", arguments =>
        {
            object? others = arguments.Must("iterable");
            arguments.Done("loop");
            return Text(() => Loop(loop, others, scope, depth + 1));
        }) : null;
        var state = new LoopState(items, depth, again);
        for (int i = 0; i < items.Count; i++)
        {
            _budget.Spend();
            state.Index = i;
            Scope turn = Turn(items[i]);
            turn.Set("loop", state);
            if (Run(loop.Body, turn) == Way.Out) break;
        }
        return items.Count == 0 ? Run(loop.Otherwise, new Scope(scope)) : Way.On;
        Scope Turn(object? item)
        {
            var turn = new Scope(scope);
            Assign(loop.Target, item, turn);
            return turn;
        }
    }

    private void Assign(Node target, object? value, Scope scope)
    {
        switch (target)
        {
            case Node.Name name:
                scope.Set(name.Text, value);
                break;
            case Node.Member { Value: Node.Name name } member:
                if (!scope.TryGet(name.Text, out object? owner) || owner is not Namespace space)
                    throw new TemplateFault("cannot assign attribute on non-namespace object");
                space.Members[member.Text] = value;
                break;
            case Node.List list:
                IReadOnlyList<object?> items = Filters.Items(value);
                if (items.Count != list.Items.Count)
                    throw new TemplateFault($"{list.Items.Count} values are wanted for as many names, got {items.Count}");
                for (int i = 0; i < items.Count; i++) Assign(list.Items[i], items[i], scope);
                break;
        }
    }

    private object? Filtered(IReadOnlyList<Node.Filter> filters, IReadOnlyList<Statement> body, Scope scope)
    {
        object? value = Text(body, new Scope(scope));
        foreach (Node.Filter filter in filters) value = _evaluator.Filter(filter, value, scope);
        return value;
    }

    /// <summary>What statements write.</summary>
    private string Text(IReadOnlyList<Statement> body, Scope scope)
    {
        return Text(() => Run(body, scope));
    }

    private string Text(Action run)
    {
        StringBuilder outer = _output;
        _output = new StringBuilder();
        run();
        string text = _budget.Made(_output.ToString());
        _output = outer;
        return text;
    }

    private Function Macro(Statement.Macro macro, Scope scope)
    {
        bool rest = macro.Used.Contains("varargs"), restNamed = macro.Used.Contains("kwargs");
        return new(macro.Name, arguments => CallMacro(macro, scope, arguments, rest, restNamed));
    }

    private string CallMacro(Statement.Macro macro, Scope scope, CallArguments arguments, bool rest, bool restNamed)
    {
        var inner = new Scope(scope);
        // Who calls with a block gives it along under this name.
        object? caller = arguments.Named.Remove("caller", out object? given) ? given : new Undefined("No caller defined");
        if (macro.Parameters.All(parameter => parameter.Name != "caller")) inner.Set("caller", caller);
        foreach ((string name, Node? fallback) in macro.Parameters)
        {
            object? value = arguments.Take(name, out object? taken) ? taken
                : fallback is { } node ? _evaluator.Value(node, inner)
                : new Undefined($"parameter '{name}' was not provided");
            inner.Set(name, value);
        }
        if (rest) inner.Set("varargs", new Fixed(arguments.TakeRest()));
        if (restNamed) inner.Set("kwargs", arguments.TakeNamed());
        arguments.Done($"macro '{macro.Name}'");
        _budget.Enter();
        string text = Text(macro.Body, inner);
        _budget.Leave();
        return text;
    }

    private object? CallWith(Statement.CallBlock call, Scope scope)
    {
        if (_evaluator.Value(call.Call.Value, scope) is not Function function) throw new TemplateFault("call wants a macro");
        CallArguments arguments = _evaluator.ArgumentsOf(call.Call.Arguments, scope);
        arguments.Named["caller"] = Macro(call.Caller, scope);
        return function.Run(arguments);
    }

    private void Write(string text)
    {
        _budget.Room((long)_output.Length + text.Length > TemplateBudget.MaxText ? long.MaxValue : text.Length);
        _output.Append(text);
    }
}
