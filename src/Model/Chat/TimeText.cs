using System.Globalization;
using System.Text;

namespace Troupe.Model.Chat;

/// <summary>strftime, in English.</summary>
internal static class TimeText
{
    /// <summary>A time by Python's format.</summary>
    public static string Format(DateTimeOffset time, string format)
    {
        var text = new StringBuilder();
        TemplateBudget.Current?.Look(format.Length);
        for (int i = 0; i < format.Length; i++)
        {
            TemplateBudget.Bound(text.Length);
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            bool bare = format[++i] == '-' && i + 1 < format.Length;
            string part = Part(time, format[bare ? ++i : i]);
            text.Append(bare && part.Length > 1 ? part.TrimStart('0') is { Length: > 0 } rest ? rest : "0" : part);
        }
        return text.ToString();
    }

    private static string Part(DateTimeOffset time, char code) => code switch
    {
        'Y' => Of(time, "yyyy"),
        'y' => Of(time, "yy"),
        'm' => Of(time, "MM"),
        'd' => Of(time, "dd"),
        'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'H' => Of(time, "HH"),
        'I' => Of(time, "hh"),
        'M' => Of(time, "mm"),
        'S' => Of(time, "ss"),
        'f' => Of(time, "ffffff"),
        'p' => Of(time, "tt"),
        'B' => Of(time, "MMMM"),
        'b' or 'h' => Of(time, "MMM"),
        'A' => Of(time, "dddd"),
        'a' => Of(time, "ddd"),
        'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        'F' => Of(time, "yyyy-MM-dd"),
        'T' => Of(time, "HH:mm:ss"),
        'D' => Of(time, "MM/dd/yy"),
        'c' => $"{Of(time, "ddd MMM")} {time.Day,2} {Of(time, "HH:mm:ss yyyy")}",
        'x' => Of(time, "MM/dd/yy"),
        'X' => Of(time, "HH:mm:ss"),
        'R' => Of(time, "HH:mm"),
        'u' => (time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'U' => ((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7).ToString("00", CultureInfo.InvariantCulture),
        'W' => ((time.DayOfYear + 6 - ((int)time.DayOfWeek + 6) % 7) / 7).ToString("00", CultureInfo.InvariantCulture),
        'G' => ISOWeek.GetYear(time.DateTime).ToString(CultureInfo.InvariantCulture),
        'V' => ISOWeek.GetWeekOfYear(time.DateTime).ToString("00", CultureInfo.InvariantCulture),
        's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'n' => "\n",
        't' => "\t",
        'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        // Python's now() knows no zone.
        'z' or 'Z' => "",
        '%' => "%",
        _ => throw new TemplateFault($"strftime_now does not know %{code}"),
    };

    private static string Of(DateTimeOffset time, string format) => time.ToString(format, CultureInfo.InvariantCulture);
}
