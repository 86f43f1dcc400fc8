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
        if (radix != 10) throw new TemplateFault("int with a base other than 10 is not supported");
        return value switch
        {
            bool or long => Values.AsLong(value),
            double real when Math.Abs(real) < 9e18 => (long)real,
            string text when Parsed(text) is { } number => number,
            _ => fallback,
        };
    }

    /// <summary>float(default).</summary>
    public static object? Real(object? value, CallArguments arguments)
    {
        object? fallback = arguments.Or("default", 0.0);
        return value is string text && double.TryParse(Digits(text), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? number : Values.AsNumber(value) ?? fallback;
    }

    /// <summary>round(precision, method): common rounds halves to even, as Python does.</summary>
    public static object Round(object? value, CallArguments arguments)
    {
        long precision = arguments.Whole("precision", 0);
        string method = arguments.Or("method", "common") as string ?? "";
        double number = Values.AsNumber(value) ?? throw new TemplateFault($"type {Values.Kind(value)} doesn't define __round__ method");
        if (precision is < 0 or > 15) throw new TemplateFault("round wants a precision in [0, 15]");
        double scale = Math.Pow(10, precision);
        return method switch
        {
            "common" => value is long whole ? (object)whole : Math.Round(number, (int)precision, MidpointRounding.ToEven),
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            _ => throw new TemplateFault("method must be common, ceil or floor"),
        };
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
