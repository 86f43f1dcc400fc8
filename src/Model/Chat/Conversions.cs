using System.Globalization;

namespace Troupe.Model.Chat;

/// <summary>The filters that make numbers.</summary>
internal static class Conversions
{
    /// <summary>int(default, base): a whole number, or the default where the value is none.</summary>
    public static object? Whole(object? value, CallArguments arguments)
    {
        object? fallback = arguments.Or("default", 0L);
        long radix = arguments.Whole("base", 10);
        if (radix is not 0 and (< 2 or > 36)) throw new TemplateFault($"int() base must be >= 2 and <= 36, or 0, got {radix}");
        return value switch
        {
            bool or long => Values.AsLong(value),
            double real when Math.Abs(real) < 9e18 => (long)real,
            string text when (radix == 10 ? Parsed(text) : InBase(Digits(text), (int)radix)) is { } number => number,
            _ => fallback,
        };
    }

    /// <summary>float(default).</summary>
    public static object? Real(object? value, CallArguments arguments)
    {
        object? fallback = arguments.Or("default", 0.0);
        if (value is string named && Infinite(named) is { } infinite) return infinite;
        return value is string text && double.TryParse(Digits(text), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? number : Values.AsNumber(value) ?? fallback;
    }

    /// <summary>round(precision, method): common rounds halves to even, as Python does.</summary>
    public static object Round(object? value, CallArguments arguments)
    {
        long precision = arguments.Whole("precision", 0);
        string method = arguments.Or("method", "common") as string ?? "";
        double number = Values.AsNumber(value) ?? throw new TemplateFault($"type {Values.Kind(value)} doesn't define __round__ method");
        if (precision is < -15 or > 15) throw new TemplateFault("round wants a precision in [-15, 15]");
        double scale = Math.Pow(10, precision);
        return method switch
        {
            "common" => value is long whole ? (object)Rounded(whole, (int)precision) : Rounded(number, (int)precision),
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            _ => throw new TemplateFault("method must be common, ceil or floor"),
        };
    }

    private static double? Infinite(string text) => PythonText.Strip(text, null).ToLowerInvariant().TrimStart('+') switch
    {
        "inf" or "infinity" => double.PositiveInfinity,
        "-inf" or "-infinity" => double.NegativeInfinity,
        "nan" or "-nan" => double.NaN,
        _ => null,
    };

    private static long? InBase(string digits, int radix)
    {
        bool negative = digits.StartsWith('-');
        string rest = digits.TrimStart('+', '-').ToLowerInvariant();
        int named = rest.Length < 2 || rest[0] != '0' ? 0 : rest[1] switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 };
        if (named > 0 && (radix == 0 || radix == named))
        {
            rest = rest[2..];
            radix = named;
        }
        if (radix == 0) radix = 10;
        long number = 0;
        foreach (char c in rest)
        {
            int digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? c - 'a' + 10 : 99;
            if (digit >= radix || number > (long.MaxValue - digit) / radix) return null;
            number = number * radix + digit;
        }
        return rest.Length == 0 ? null : negative ? -number : number;
    }

    private static long Rounded(long number, int precision)
    {
        if (precision >= 0) return number;
        decimal scale = (decimal)Math.Pow(10, -precision);
        return (long)(Math.Round(number / scale, MidpointRounding.ToEven) * scale);
    }

    /// <summary>To nearest of the exact value, ties to even: 42.55 lies below the middle.</summary>
    private static double Rounded(double number, int precision)
    {
        if (!double.IsFinite(number) || Math.Abs(number) >= 1e15) return number;
        if (precision < 0) return (double)Math.Round((decimal)number / (decimal)Math.Pow(10, -precision), MidpointRounding.ToEven)
            * Math.Pow(10, -precision);
        // All digits: formats are exact.
        string exact = number.ToString("F" + (precision + 60), CultureInfo.InvariantCulture), rest = exact[^60..];
        double nearest = double.Parse(number.ToString("F" + precision, CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        bool tie = rest[0] == '5' && rest.AsSpan(1).IndexOfAnyExcept('0') < 0;
        return tie ? Math.Round(number, precision, MidpointRounding.ToEven) : nearest;
    }

    private static long? Parsed(string text)
    {
        string digits = Digits(text);
        if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole)) return whole;
        return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) && Math.Abs(real) < 9e18
            ? (long)real : null;
    }

    private static string Digits(string text) => PythonText.Strip(text, null).Replace("_", "", StringComparison.Ordinal);
}
