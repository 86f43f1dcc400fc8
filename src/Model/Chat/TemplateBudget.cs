namespace Troupe.Model.Chat;

/// <summary>Bounds what one rendering may do, whatever the template says.</summary>
internal sealed class TemplateBudget
{
    /// <summary>The most characters of the output, and of any text on the way.</summary>
    public const int MaxText = 16 << 20;

    /// <summary>
    /// The most expressions, statements and items; a text counts for every 16 characters that are made or looked at. A step takes some
    /// dozen bytes that stay, so a rendering holds some hundred megabytes at most.
    /// </summary>
    public const long MaxSteps = 8_000_000;

    /// <summary>The most statements, expressions and macros in each other.</summary>
    public const int MaxDepth = 300;

    [ThreadStatic]
    private static TemplateBudget? s_current;

    private const int CharactersPerStep = 16;
    private readonly long _maxSteps;
    private long _steps;
    private int _depth;

    /// <summary>The usual budget, or a smaller one.</summary>
    public TemplateBudget(long maxSteps = MaxSteps) => _maxSteps = maxSteps;

    /// <summary>That of the rendering on this thread, for what compares and shows values and knows of no rendering.</summary>
    public static TemplateBudget? Current
    {
        get => s_current;
        set => s_current = value;
    }

    /// <summary>Counts steps.</summary>
    public void Spend(long steps = 1)
    {
        if ((_steps += steps) > _maxSteps)
            throw new TemplateFault($"the template takes more than {_maxSteps} steps; does a loop run away?");
    }

    /// <summary>Counts characters that are looked at: a short expression can look at a long text.</summary>
    public void Look(long characters) => Spend(characters / CharactersPerStep);

    /// <summary>Counts a search, which for some texts compares the whole part at every place.</summary>
    public void Search(string text, string part) =>
        Look(text.Length + Math.Max(0L, text.Length - part.Length) * part.Length / 128);

    /// <summary>Counts a text that was made.</summary>
    public string Made(string text)
    {
        Room(text.Length);
        return text;
    }

    /// <summary>Counts a text before it is made.</summary>
    public void Room(long length)
    {
        Bound(length);
        Spend(1 + Math.Max(0, length) / CharactersPerStep);
    }

    /// <summary>Fails where a text that is being made is too long already.</summary>
    public static void Bound(long length)
    {
        if (length > MaxText) throw new TemplateFault($"a text grows beyond {MaxText} characters");
    }

    /// <summary>Goes one level down.</summary>
    public void Enter()
    {
        if (++_depth > MaxDepth) throw new TemplateFault($"the template goes more than {MaxDepth} levels deep");
    }

    /// <summary>And up again.</summary>
    public void Leave() => _depth--;
}
