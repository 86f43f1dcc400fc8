using System.Text;
using Xunit;

namespace Troupe.Cli.Tests.Tidy;

/// <summary>The scanner that the tidy tests trust.</summary>
public sealed class ScanTests
{
    private const int AutoProperty = 12;

    private const string Sample = """
        using System;
        namespace A;
        [Obsolete("x()")]
        public sealed class B(int p) : C(p), IDisposable
        {
            private readonly int[] _field = new int[] { 1,
                2, F(() => { }) };
            private static readonly Func<int, int> s_f = x =>
            {
                return x;
            };
            public int Auto { get; set; } = 3;
            public int Long
            {
                get
                {
                    return 1;
                }
                set => _ = value;
            }
            /// <summary>Not part of it { }.</summary>
            [Fact, Data(nameof(x))]
            public B() : this(1)
            {
                if (true) { }
            }
            public T Generic<T>(T a = default) where T : class
            {
                void Local() { }
                return a;
            }
            public static bool operator ==(B a, B b)
                => a is { } && b is { };
            public string Short() => "{";
            public int Switch(int x) => x switch
            {
                1 => 2,
                _ => 3,
            };
            public TheoryData<int> Data => new()
            {
                { F(1) },
            };
            int this[int i] { get { return i; } }
            private record struct D(int A, int B);
            private enum E { A, B }
            private record F(int A)
            {
                public void Inner()
                {
                }
            }
            abstract void None();
        }
        """;

    [Theory]
    [InlineData("a «// b»")]
    [InlineData("a «/* b\n c */» d")]
    [InlineData("x = «\"a\\\"{b\"»; y")]
    [InlineData("x = «@\"a\\\"»; y")]
    [InlineData("x = «@\"a\"\"{\"»; y")]
    [InlineData("c = «'\\''»; d = «'\"'»; e")]
    [InlineData("c = «'\\u0041'»; e")]
    [InlineData("x = «$\"{a[\"}\"]}{{\"»; y")]
    [InlineData("x = «$\"{(a ? \"b\" : $\"{c}\")}\"»; y")]
    [InlineData("x = «$@\"a\"\"{b}\\\"»; y")]
    [InlineData("x = «\"\"\"a\"b{\"\"\"»; y")]
    [InlineData("x = «$$\"\"\"{ {{a}} }\"\"\"»; y")]
    [InlineData("x = «$\"\"\"\n{a}\"\n\"\"\"»; y")]
    [InlineData("«#if A {»\nx")]
    [InlineData("@class = a")]
    [InlineData("«\"unclosed {»")]
    public void Only_code_is_left(string marked)
    {
        string source = marked.Replace("«", "").Replace("»", "");
        bool hidden = false;
        var code = new StringBuilder();
        foreach (char c in marked)
        {
            if (c is '«' or '»') hidden = c == '«';
            else code.Append(hidden && c != '\n' ? ' ' : c);
        }
        Assert.Equal(code.ToString(), CodeMask.Of(source));
    }

    [Fact]
    public void Methods_are_measured_from_signature_to_end()
    {
        Assert.Equal(
            [
                ("get", 15, 4), ("set", 19, 1), ("B", 23, 4), ("Generic", 27, 5), ("==", 32, 2), ("Short", 34, 1), ("Switch", 35, 5),
                ("get", 44, 1), ("Inner", 49, 3),
            ],
            MemberScan.Methods(Sample).Where(m => m.Line != AutoProperty).Select(m => (m.Name, m.Line, m.Lines)));
    }

    [Fact]
    public void Top_level_statements_are_measured_too() =>
        Assert.Equal([("if", 2, 4)],
            MemberScan.Methods("int x = F(1);\nif (x > 0)\n{\n    G();\n}\n").Select(m => (m.Name, m.Line, m.Lines)));
}
