using System.Globalization;
using System.Text.RegularExpressions;

namespace Troupe.Model.Chat;

/// <summary>Python's format specification: fill and alignment, sign, width, groups, precision and kind.</summary>
internal sealed partial record FormatSpec(char Fill, char Align, string Sign, bool Base, int Width, string Groups, int Precision, char Kind)
{
    private const int MaxWidth = 1000;

    /// <summary>Reads one, as in ">8.2f".</summary>
    public static FormatSpec Parse(string spec)
    {
        Match match = Form().Match(spec);
        if (!match.Success) throw new TemplateFault($"Invalid format specifier '{spec}'");
        string align = match.Groups["align"].Value;
        bool zero = match.Groups["zero"].Value.Length > 0;
        char fill = align.Length == 2 ? align[0] : zero ? '0' : ' ', side = align.Length > 0 ? align[^1] : zero ? '=' : '\0';
        return new FormatSpec(fill, side, match.Groups["sign"].Value, match.Groups["base"].Value.Length > 0,
            Size(match.Groups["width"].Value, 0), match.Groups["groups"].Value, Size(match.Groups["precision"].Value, -1),
            match.Groups["kind"].Value is [var kind] ? kind : '\0');
    }

    /// <summary>The text of a value.</summary>
    public string Apply(object? value)
    {
        bool isText = Kind == 's' || (Kind == '\0' && value is not (long or double));
        if (isText)
        {
            string text = Values.Text(value);
            if (Precision >= 0 && Values.Length(text) > Precision) text = string.Concat(text.EnumerateRunes().Take(Precision));
            return Padded("", text, Align == '\0' ? '<' : Align);
        }
        string digits = Digits(value);
        bool negative = digits.StartsWith('-');
        if (negative) digits = digits[1..];
        string prefix = Base ? Kind switch { 'x' => "0x", 'X' => "0X", 'o' => "0o", 'b' => "0b", _ => "" } : "";
        return Padded((negative ? "-" : Sign == "-" ? "" : Sign) + prefix, digits, Align == '\0' ? '>' : Align);
    }

    private string Digits(object? value)
    {
        if (Kind is 'd' or 'x' or 'X' or 'o' or 'b' or 'n' || (Kind == '\0' && value is long))
        {
            long whole = Values.AsLong(value) ?? throw Unknown(value);
            string sign = whole < 0 ? "-" : "";
            ulong size = whole < 0 ? (ulong)-whole : (ulong)whole;
            return sign + Kind switch
            {
                'x' => size.ToString("x", CultureInfo.InvariantCulture),
                'X' => size.ToString("X", CultureInfo.InvariantCulture),
                'o' => Convert.ToString((long)size, 8),
                'b' => Convert.ToString((long)size, 2),
                _ => Grouped(size.ToString(CultureInfo.InvariantCulture)),
            };
        }
        double number = Values.AsNumber(value) ?? throw Unknown(value);
        int precision = Precision < 0 ? 6 : Precision;
        return Kind switch
        {
            'f' or 'F' => Grouped(number.ToString("F" + precision, CultureInfo.InvariantCulture)),
            '%' => Grouped((number * 100).ToString("F" + precision, CultureInfo.InvariantCulture)) + "%",
            'e' or 'E' => Exponent(number, precision),
            'g' or 'G' => General(number, Math.Max(1, precision), Kind == 'G'),
            '\0' => Precision < 0 ? Grouped(Values.Number(number)) : General(number, Math.Max(1, precision), upper: false),
            _ => throw Unknown(value),
        };
    }

    private string Exponent(double number, int precision) =>
        number.ToString((Kind == 'E' ? "0." + new string('0', precision) + "E+00" : "0." + new string('0', precision) + "e+00"),
            CultureInfo.InvariantCulture);

    private static string General(double number, int precision, bool upper)
    {
        if (number == 0) return "0";
        string digits = number.ToString("E" + (precision - 1), CultureInfo.InvariantCulture);
        int exponent = int.Parse(digits.AsSpan(digits.IndexOf('E') + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (exponent >= -4 && exponent < precision)
        {
            string plain = number.ToString("F" + (precision - 1 - exponent), CultureInfo.InvariantCulture);
            return plain.Contains('.') ? plain.TrimEnd('0').TrimEnd('.') : plain;
        }
        string mantissa = digits[..digits.IndexOf('E')];
        if (mantissa.Contains('.')) mantissa = mantissa.TrimEnd('0').TrimEnd('.');
        return $"{mantissa}{(upper ? 'E' : 'e')}{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    private string Grouped(string digits)
    {
        if (Groups.Length == 0) return digits;
        int point = digits.IndexOf('.'), end = point < 0 ? digits.Length : point, first = digits.StartsWith('-') ? 1 : 0;
        for (int at = end - 3; at > first; at -= 3) digits = digits.Insert(at, Groups);
        return digits;
    }

    private string Padded(string sign, string text, char align)
    {
        int missing = (int)Math.Max(0, Width - sign.Length - Values.Length(text));
        return align switch
        {
            '<' => sign + text + new string(Fill, missing),
            '^' => new string(Fill, missing / 2) + sign + text + new string(Fill, missing - missing / 2),
            '=' => sign + new string(Fill, missing) + text,
            _ => new string(Fill, missing) + sign + text,
        };
    }

    private TemplateFault Unknown(object? value) =>
        new($"Unknown format code '{Kind}' for object of type '{Values.Kind(value)}'");

    private static int Size(string digits, int absent)
    {
        if (digits.Length == 0) return absent;
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int size) && size <= MaxWidth ? size
            : throw new TemplateFault($"a format has a size of {digits}, at most {MaxWidth} is supported");
    }

    [GeneratedRegex(@"^(?<align>.?[<>=^])?(?<sign>[-+ ])?(?<base>#)?(?<zero>0)?(?<width>[0-9]+)?(?<groups>[,_])?"
        + @"(\.(?<precision>[0-9]+))?(?<kind>[a-zA-Z%])?$",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline)]
    private static partial Regex Form();
}
