namespace Troupe.Model.Chat;

/// <summary>Bounds what one rendering may do, whatever the template says.</summary>
internal sealed class TemplateBudget
{
    /// <summary>The most characters of the output, and of any text on the way.</summary>
    public const int MaxText = 16 << 20;

    /// <summary>The most expressions, statements and items; a text counts for every 64 characters.</summary>
    public const long MaxSteps = 20_000_000;

    /// <summary>The most statements, expressions and macros in each other.</summary>
    public const int MaxDepth = 300;

    [ThreadStatic]
    private static TemplateBudget? s_current;

    private long _steps;
    private int _depth;

    /// <summary>That of the rendering on this thread, for what compares and shows values and knows of no rendering.</summary>
    public static TemplateBudget? Current
    {
        get => s_current;
        set => s_current = value;
    }

    /// <summary>Counts steps.</summary>
    public void Spend(long steps = 1)
    {
        if ((_steps += steps) > MaxSteps) throw new TemplateFault($"the template takes more than {MaxSteps} steps; does a loop run away?");
    }

    /// <summary>Counts a text that was made.</summary>
    public string Made(string text)
    {
        Room(text.Length);
        return text;
    }

    /// <summary>Counts a text before it is made.</summary>
    public void Room(long length)
    {
        if (length > MaxText) throw new TemplateFault($"a text grows beyond {MaxText} characters");
        Spend(1 + length / 64);
    }

    /// <summary>Goes one level down.</summary>
    public void Enter()
    {
        if (++_depth > MaxDepth) throw new TemplateFault($"the template goes more than {MaxDepth} levels deep");
    }

    /// <summary>And up again.</summary>
    public void Leave() => _depth--;
}
