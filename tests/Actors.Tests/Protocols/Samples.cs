using System.Collections;
using System.Reflection;
using System.Text;
using Akka.Actor;
using Troupe.Actors.Protocols;
using Troupe.Devices.Topology;
using Xunit;

namespace Troupe.Actors.Tests.Protocols;

/// <summary>
/// Makes a value of any message by its record's constructor, and compares two of them property by property, so that a new message is tested
/// without a line of its own. Empty values are what a constructor can take of nothing; filled ones leave no field at its default.
/// </summary>
internal sealed class Samples(Random random, IReadOnlyList<IActorRef> actors)
{
    private readonly NullabilityInfoContext _nullability = new();

    /// <summary>Every message of the protocols: what a sender may try to send.</summary>
    public static IReadOnlyList<Type> Messages { get; } =
    [
        .. typeof(ProtocolMessage).Assembly.GetTypes()
            .Where(type => typeof(ProtocolMessage).IsAssignableFrom(type) && !type.IsAbstract)
            .OrderBy(type => type.Name, StringComparer.Ordinal),
    ];

    /// <summary>The constructor that takes the record's values.</summary>
    public static ConstructorInfo ConstructorOf(Type type) => type.GetConstructors().MaxBy(c => c.GetParameters().Length)!;

    public ProtocolMessage Filled(Type type) => (ProtocolMessage)Make(type, "", nullable: false, empty: false)!;

    public ProtocolMessage Empty(Type type) => (ProtocolMessage)Make(type, "", nullable: false, empty: true)!;

    /// <summary>Where two values differ first, or null.</summary>
    public static string? Difference(object? wanted, object? got, string at = "")
    {
        if (wanted is null && got is null) return null;
        if (wanted is null || got is null) return $"{at}: wanted {wanted ?? "null"}, got {got ?? "null"}";
        if (wanted is ReadOnlyMemory<byte> bytes)
            return bytes.Span.SequenceEqual(((ReadOnlyMemory<byte>)got).Span) ? null : $"{at}: other bytes";
        if (wanted is int[] ids && ids.AsSpan().SequenceEqual(got as int[])) return null; // a million of them, sooner
        if (wanted is IList list)
        {
            var other = (IList)got;
            if (list.Count != other.Count) return $"{at}: wanted {list.Count} items, got {other.Count}";
            return Enumerable.Range(0, list.Count)
                .Select(i => Difference(list[i], other[i], $"{at}[{i}]")).FirstOrDefault(d => d is not null);
        }

        if (!IsComposite(wanted.GetType())) return wanted.Equals(got) ? null : $"{at}: wanted {wanted}, got {got}";
        if (wanted.GetType() != got.GetType()) return $"{at}: wanted a {wanted.GetType().Name}, got a {got.GetType().Name}";
        return wanted.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(property => Difference(property.GetValue(wanted), property.GetValue(got), $"{at}.{property.Name}"))
            .FirstOrDefault(d => d is not null);
    }

    private static bool IsComposite(Type type) => type.Namespace == typeof(ProtocolMessage).Namespace && !type.IsEnum;

    private object? Make(Type type, string name, bool nullable, bool empty)
    {
        if (nullable && empty) return null;
        if (type == typeof(string)) return empty ? "" : Text();
        if (type == typeof(int)) return empty ? 0 : Number(name);
        if (type == typeof(long)) return empty ? 0L : random.NextInt64(1, long.MaxValue) >> random.Next(0, 50) | 1;
        if (type == typeof(ulong)) return empty ? 0UL : (ulong)random.NextInt64(long.MinValue, long.MaxValue) | 1;
        if (type == typeof(double)) return empty ? 0.0 : 1 - random.NextDouble();
        if (type == typeof(float)) return empty ? 0f : 1 - random.NextSingle();
        if (type == typeof(bool)) return !empty;
        if (type == typeof(Epoch)) return new Epoch(empty ? 0 : random.NextInt64(1, 1L << random.Next(1, 40)));
        if (type == typeof(StepId)) return new StepId(empty ? 0 : random.NextInt64(1, 1L << random.Next(1, 40)));
        if (type == typeof(IActorRef)) return actors[random.Next(actors.Count)];
        if (type == typeof(ReadOnlyMemory<byte>)) return new ReadOnlyMemory<byte>(empty ? [] : Bytes(16));
        if (type.IsEnum) return Enum.GetValues(type).GetValue(empty ? 0 : random.Next(1, Enum.GetValues(type).Length));
        if (type.IsGenericType) return List(type.GetGenericArguments()[0], name, empty ? 0 : random.Next(1, 7));
        return type == typeof(SlotScores) ? Scores(empty) : Construct(type, empty);
    }

    private object Construct(Type type, bool empty)
    {
        var constructor = ConstructorOf(type);
        return constructor.Invoke([.. constructor.GetParameters().Select(p => Make(p.ParameterType, p.Name!, IsNullable(p), empty))]);
    }

    private bool IsNullable(ParameterInfo parameter) =>
        !parameter.ParameterType.IsValueType && _nullability.Create(parameter).ReadState == NullabilityState.Nullable;

    private Array List(Type item, string name, int count)
    {
        var array = Array.CreateInstance(item, count);
        for (int i = 0; i < count; i++) array.SetValue(Make(item, name, nullable: false, empty: false), i);
        return array;
    }

    /// <summary>The one record with a rule between its fields: as many top ids as log-probabilities of them.</summary>
    private SlotScores Scores(bool empty)
    {
        int top = empty ? 0 : 8 * random.Next(1, 4);
        return new(
            empty ? 0 : Number("Slot"), empty ? 0 : Number("Position"), (float[])List(typeof(float), "", empty ? 0 : 5),
            (int[])List(typeof(int), "", top), (float[])List(typeof(float), "", top));
    }

    private int Number(string name) => name switch
    {
        "LifelinePort" => random.Next(1, 65_536),
        "Culprit" or "ConfiguredRank" => random.Next(2) == 0 ? -1 : random.Next(1, 64),
        _ => random.Next(1, int.MaxValue) >> random.Next(0, 24) | 1,
    };

    private byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private string Text()
    {
        string[] pieces = ["a", "Z", " ", "\n", "é", "日本", "🎭", "\0", "\"", "{}", "%"];
        var text = new StringBuilder();
        for (int i = random.Next(1, 12); i > 0; i--) text.Append(pieces[random.Next(pieces.Length)]);
        return text.ToString();
    }
}
