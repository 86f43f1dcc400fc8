namespace Troupe.Model.Chat;

/// <summary>Python's arithmetic on numbers of 64 bits.</summary>
internal static class Arithmetic
{
    /// <summary>The outcome of a sign between two numbers.</summary>
    public static object Of(string sign, object? left, object? right)
    {
        if (Values.AsNumber(left) is not { } x || Values.AsNumber(right) is not { } y)
            throw new TemplateFault($"unsupported operand type(s) for {sign}: '{Values.Kind(left)}' and '{Values.Kind(right)}'");
        if (sign is "/" or "//" or "%" && y == 0) throw new TemplateFault("division by zero");
        if (sign == "/") return x / y;
        if (left is double || right is double) return Real(sign, x, y);
        try
        {
            return Whole(sign, Values.AsLong(left)!.Value, Values.AsLong(right)!.Value);
        }
        catch (OverflowException)
        {
            throw new TemplateFault("a whole number grows beyond 64 bits");
        }
    }

    private static double Real(string sign, double x, double y) => sign switch
    {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "//" => Math.Floor(x / y),
        "%" => x - Math.Floor(x / y) * y,
        _ => Math.Pow(x, y),
    };

    private static object Whole(string sign, long x, long y) => checked(sign switch
    {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "//" => x / y - (x % y != 0 && (x < 0) != (y < 0) ? 1 : 0),
        "%" => y == -1 ? 0 : x % y + (x % y != 0 && (x < 0) != (y < 0) ? y : 0),
        _ => Power(x, y),
    });

    private static object Power(long x, long y)
    {
        if (y < 0) return Math.Pow(x, y);
        if (x is 0 or 1 or -1) return y == 0 ? 1L : x == -1 ? (y % 2 == 0 ? 1L : -1L) : x;
        long result = 1;
        for (; y > 0; y--) result = checked(result * x);
        return result;
    }
}
