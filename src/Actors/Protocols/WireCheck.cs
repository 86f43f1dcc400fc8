using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Serialization;
using Google.Protobuf.Collections;
using Troupe.Devices.Topology;

namespace Troupe.Actors.Protocols;

/// <summary>
/// What every reader of a wire form asks of a field before a record is made of it. Each check returns the value or throws a
/// <see cref="SerializationException"/> that names the field, so that a mailbox only ever sees messages that make sense.
/// </summary>
internal static class WireCheck
{
    /// <summary>Bytes of one message: far above Akka.NET's default frame, a bound on what we allocate where that is raised.</summary>
    public const int MaxBytes = 4 << 20;

    /// <summary>Token ids, blocks or log-probabilities in a list.</summary>
    public const int MaxIds = 1_000_000;

    /// <summary>Descriptors, actors or shares in a list: one per rank or replica.</summary>
    public const int MaxRanks = 1024;

    /// <summary>Slots, tokens or requests in a list.</summary>
    public const int MaxItems = 65_536;

    /// <summary>Stop strings of a request.</summary>
    public const int MaxStops = 1024;

    /// <summary>Characters of a string.</summary>
    public const int MaxText = 128 * 1024;

    /// <summary>Bytes of a secret.</summary>
    public const int MaxSecret = 1024;

    public static Epoch ToEpoch(long value) => new(NotNegative(value, "epoch"));

    public static StepId ToStep(long value, [CallerArgumentExpression(nameof(value))] string field = "") => new(NotNegative(value, field));

    /// <summary>For counts, sizes, indices and times: a number from 0 up, and finite.</summary>
    public static T NotNegative<T>(T value, [CallerArgumentExpression(nameof(value))] string field = "") where T : INumber<T> =>
        value >= T.Zero && T.IsFinite(value) ? value : throw Refuse(field, "0 or more", value);

    /// <summary>For the few numbers whose -1 has a meaning, which their record tells.</summary>
    public static int AtLeast(int least, int value, [CallerArgumentExpression(nameof(value))] string field = "") =>
        value >= least ? value : throw Refuse(field, $"{least} or more", value);

    public static int Port(int value, [CallerArgumentExpression(nameof(value))] string field = "") =>
        value is >= 0 and <= 65_535 ? value : throw Refuse(field, "in [0, 65535]", value);

    public static double Fraction(double value, [CallerArgumentExpression(nameof(value))] string field = "") =>
        value is >= 0 and <= 1 ? value : throw Refuse(field, "in [0, 1]", value);

    /// <summary>One of the named values of an enum of ours.</summary>
    public static T Known<T>(int value, [CallerArgumentExpression(nameof(value))] string field = "") where T : struct, Enum
    {
        var known = Unsafe.BitCast<int, T>(value);
        return Enum.IsDefined(known) ? known : throw Refuse(field, $"a {typeof(T).Name}", value);
    }

    public static string Text(string value, [CallerArgumentExpression(nameof(value))] string field = "") =>
        value.Length <= MaxText ? value : throw Refuse(field, $"at most {MaxText} characters", value.Length);

    /// <summary>A part that Protobuf leaves null where the bytes lack it.</summary>
    public static T Present<T>(T? value, [CallerArgumentExpression(nameof(value))] string field = "") where T : class =>
        value ?? throw Refuse(field, "present", "nothing");

    /// <summary>Ids, slots, rows or blocks: none negative.</summary>
    public static T[] Numbers<T>(RepeatedField<T> values, int most, [CallerArgumentExpression(nameof(values))] string field = "")
        where T : INumber<T>
    {
        var numbers = Values(values, most, field);
        foreach (var number in numbers) NotNegative(number, field);
        return numbers;
    }

    /// <summary>Values of any size and sign, NaN included: what a model computed.</summary>
    public static T[] Values<T>(RepeatedField<T> values, int most, [CallerArgumentExpression(nameof(values))] string field = "")
    {
        Count(values.Count, most, field);
        if (values.Count == 0) return [];
        var array = new T[values.Count];
        values.CopyTo(array, 0);
        return array;
    }

    /// <summary>A list whose items have a reader of their own.</summary>
    public static TItem[] Each<TProto, TItem>(
        RepeatedField<TProto> values, int most, Func<TProto, TItem> read, [CallerArgumentExpression(nameof(values))] string field = "")
    {
        Count(values.Count, most, field);
        if (values.Count == 0) return [];
        var array = new TItem[values.Count];
        for (int i = 0; i < array.Length; i++) array[i] = read(values[i]);
        return array;
    }

    /// <summary>Two columns of one list: the same length.</summary>
    public static int Paired(
        int first, int second, int most,
        [CallerArgumentExpression(nameof(first))] string field = "", [CallerArgumentExpression(nameof(second))] string other = "") =>
        first == second ? Count(first, most, field) : throw Refuse(field, $"as many as {Name(other)} ({second})", first);

    public static int Count(int count, int most, [CallerArgumentExpression(nameof(count))] string field = "") =>
        count <= most ? count : throw Refuse(field, $"at most {most} long", count);

    public static SerializationException Refuse<T>(string field, string wanted, T got) => new($"{Name(field)} must be {wanted}, got {got}");

    /// <summary>A stranger's text as a log can bear it.</summary>
    public static string Printable(string text) => string.Concat(text.Take(64).Select(c => char.IsControl(c) ? '?' : c));

    /// <summary>The field's name out of an expression such as <c>(int)p.Kind</c>.</summary>
    private static string Name(string expression)
    {
        int dot = expression.IndexOf('.', StringComparison.Ordinal);
        return dot < 0 ? expression : expression[(dot + 1)..];
    }
}
