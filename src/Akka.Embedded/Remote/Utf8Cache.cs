using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Akka.Remote;

/// <summary>
/// Remembers what the texts of a connection mean, found by their bytes, so that the usual message makes no string. Not thread-safe.
/// </summary>
internal sealed class Utf8Cache<T>(int limit, Func<string, T> create, Predicate<T> keeps)
{
    private readonly Dictionary<byte[], T> _entries = new(Utf8Comparer.Instance);

    public T Get(ReadOnlySpan<byte> utf8)
    {
        var lookup = _entries.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (lookup.TryGetValue(utf8, out var known) && keeps(known)) return known;
        var made = create(Encoding.UTF8.GetString(utf8));
        if (_entries.Count >= limit) _entries.Clear();
        if (keeps(made)) lookup[utf8] = made;
        return made;
    }

    private sealed class Utf8Comparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public static readonly Utf8Comparer Instance = new();

        public bool Equals(byte[] x, byte[] y) => x.AsSpan().SequenceEqual(y);
        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);
        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());
        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = new HashCode();
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }
    }
}
