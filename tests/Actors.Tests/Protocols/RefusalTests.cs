using System.Collections;
using System.Runtime.Serialization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Troupe.Actors.Protocols;
using Troupe.Devices.All2All;
using Troupe.Testing;
using Xunit;

namespace Troupe.Actors.Tests.Protocols;

[Collection("wire")]
public sealed class RefusalTests(WireSystem wire)
{
    /// <summary>What a model computed may have any sign and size; a seed is any 64 bits.</summary>
    private static readonly HashSet<string> AnyNumber = ["log_probs", "top_log_probs", "values", "seed", "got_value", "wanted_value"];

    public static TheoryData<Type> Messages => [.. Samples.Messages];

    [Theory]
    [InlineData("Nothing/1", "Nothing/1")]
    [InlineData("StepPlan/2", "version 1")]
    [InlineData("StepPlan/0", "version 1")]
    [InlineData("StepPlan", "StepPlan")]
    [InlineData("stepplan/1", "stepplan/1")]
    [InlineData("StepPlan/1 ", "version 1")]
    [InlineData("", "''")]
    [InlineData("/", "'/'")]
    [InlineData("System.Diagnostics.Process, System.Diagnostics.Process", "System.Diagnostics.Process")]
    [InlineData("line\nbreak/1", "line?break/1")]
    public void An_unknown_manifest_or_version_is_counted_and_refused_by_name(string manifest, string says)
    {
        var counters = new WireCounters();
        var serializer = new ProtocolSerializer(wire.System, counters);
        var error = Assert.Throws<SerializationException>(() => serializer.FromBinary([], manifest));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.Equal((1, 0, 0), Dropped(counters.Snapshot()));
    }

    [Fact]
    public void A_missing_manifest_or_body_is_refused_too()
    {
        Assert.Throws<SerializationException>(() => wire.Serializer.FromBinary([], null!));
        Assert.Throws<SerializationException>(() => wire.Serializer.FromBinary(null!, "Drain/1"));
    }

    [Fact]
    public void A_long_manifest_does_not_fill_the_log()
    {
        var error = Assert.Throws<SerializationException>(() => wire.Serializer.FromBinary([], new string('x', 100_000)));
        Assert.InRange(error.Message.Length, 1, 200);
    }

    /// <summary>Each field in turn gets each kind of value that makes no sense, in a message that is otherwise fine.</summary>
    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_field_refuses_what_makes_no_sense_and_is_named(Type type)
    {
        var samples = new Samples(Seed.For(nameof(Every_field_refuses_what_makes_no_sense_and_is_named)), wire.Actors);
        byte[] good = wire.Serializer.ToBinary(samples.Filled(type));
        var parameters = Samples.ConstructorOf(type).GetParameters().Select(p => p.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var (field, break_) in Breaks(SchemaTests.Of(type), root => root))
        {
            bool unread = field.FieldNumber <= 2 && field.ContainingType.Name == type.Name && !parameters.Contains(field.Name);
            if (unread) continue;
            var broken = SchemaTests.Of(type).Parser.ParseFrom(good);
            break_(broken);
            var counters = new WireCounters();
            var serializer = new ProtocolSerializer(wire.System, counters);
            var error = Record.Exception(() => serializer.FromBinary(broken.ToByteArray(), $"{type.Name}/1"));
            Assert.True(error is SerializationException, $"{field.FullName} was broken, but got {error?.GetType().Name ?? "a message"}");
            Assert.Contains(field.Name.Replace("_", "", StringComparison.Ordinal), error!.Message, StringComparison.OrdinalIgnoreCase);
            Assert.Equal((0, 1, 0), Dropped(counters.Snapshot()));
        }
    }

    [Fact]
    public void Lists_may_be_as_long_as_the_limit_and_no_longer()
    {
        string[] ranks = [.. Enumerable.Repeat("d", WireCheck.MaxRanks)];
        Accepts(new WireUp(new(1), ranks, [], [], wire.Actors[0]));
        Refuses(new WireUp(new(1), [.. ranks, "d"], [], [], wire.Actors[0]), "descriptors");
        Accepts(new RequestAccepted(new(1), "r", 0, new int[WireCheck.MaxIds]));
        Refuses(new RequestAccepted(new(1), "r", 0, new int[WireCheck.MaxIds + 1]), "PromptIds");
        Accepts(new LogitsChunk(new(1), new(1), "r", 0, new float[LogitsSlice.MaxValues]));
        Refuses(new LogitsChunk(new(1), new(1), "r", 0, new float[LogitsSlice.MaxValues + 1]), "Values");
        Accepts(new ClusterEnded(new(1), new string('e', WireCheck.MaxText)));
        Refuses(new ClusterEnded(new(1), new string('e', WireCheck.MaxText + 1)), "Error");
    }

    [Fact]
    public void Numbers_may_be_at_the_edge_of_their_range_and_no_further()
    {
        Accepts(new RankFailed(new(1), new(1), 0, -1, ""));
        Refuses(new RankFailed(new(1), new(1), 0, -2, ""), "Culprit");
        Accepts(new JoinAccepted("h", 65_535, "", ""));
        Refuses(new JoinAccepted("h", 65_536, "", ""), "LifelinePort");
        Accepts(new LoadProgress(new(1), 0, "", 1));
        Refuses(new LoadProgress(new(1), 0, "", 1.01), "Fraction");
        Accepts(new RankReady(new(1), 0, double.MaxValue, 0, null));
        Refuses(new RankReady(new(1), 0, double.PositiveInfinity, 0, null), "CheckMs");
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(double.MaxValue, true)]
    [InlineData(-1e-9, false)]
    [InlineData(double.NaN, false)]
    [InlineData(double.PositiveInfinity, false)]
    public void What_a_rank_measured_of_its_links_is_numbers_from_0_up(double value, bool good)
    {
        var well = new LinkConstants(1, 2, 3, 4, 5);
        LinkConstants[] cases =
        [
            well with { MessageUs = value }, well with { ByteUs = value }, well with { FlagUs = value }, well with { RowUs = value },
            well with { RowByteUs = value },
        ];
        foreach (LinkConstants links in cases)
        {
            LinkCalibration[] places = [new(links, null, null), new(well, links, well), new(null, null, links)];
            foreach (LinkCalibration measured in places)
            {
                var ready = new RankReady(new(1), 0, 1, 2, measured);
                if (good) Accepts(ready);
                else Refuses(ready, "Links");
            }
        }
    }

    [Fact]
    public void A_rank_measured_three_classes_of_links_or_nothing()
    {
        for (int count = 0; count < 20; count++)
        {
            var ready = new Actors.Protocols.Wire.RankReady { Links = { Enumerable.Repeat(1.0, count) } };
            if (count is 0 or 15) Assert.Equal(count == 0, Read(ready).Links is null);
            else Assert.Contains("Links", Assert.Throws<SerializationException>(() => Read(ready)).Message, StringComparison.Ordinal);
        }

        RankReady Read(IMessage message) => (RankReady)wire.Serializer.FromBinary(message.ToByteArray(), "RankReady/1");
    }

    [Theory]
    [InlineData("")]
    [InlineData("no path")]
    [InlineData("akka://")]
    [InlineData("/user/a")]
    [InlineData("akka.tcp://sys@host:99999/user/a")]
    public void Text_that_is_no_path_of_an_actor_is_refused(string path)
    {
        var bytes = new Actors.Protocols.Wire.RouterStarted { Router = path }.ToByteArray();
        var error = Assert.Throws<SerializationException>(() => wire.Serializer.FromBinary(bytes, "RouterStarted/1"));
        Assert.Contains("Router must be an actor's path", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Columns_of_different_length_are_refused()
    {
        byte[] delta = new Actors.Protocols.Wire.BatchDelta { WorkSlots = { 1, 2 }, WorkRows = { 1 } }.ToByteArray();
        byte[] plan = new Actors.Protocols.Wire.StepPlan { ShareRows = { 1 }, ShareVersions = { 1, 2 } }.ToByteArray();
        byte[] result = new Actors.Protocols.Wire.StepResult { TokenSlots = { 1, 2 } }.ToByteArray();
        Assert.Throws<SerializationException>(() => wire.Serializer.FromBinary(delta, "BatchDelta/1"));
        Assert.Throws<SerializationException>(() => wire.Serializer.FromBinary(plan, "StepPlan/1"));
        Assert.Throws<SerializationException>(() => wire.Serializer.FromBinary(result, "StepResult/1"));
    }

    [Fact]
    public void A_message_over_the_limit_is_refused_before_it_is_parsed()
    {
        byte[] huge = new byte[WireCheck.MaxBytes + 1]; // zeros are also malformed: the error tells which check came first
        var error = Assert.Throws<SerializationException>(() => wire.Serializer.FromBinary(huge, "Drain/1"));
        Assert.Contains($"at most {WireCheck.MaxBytes}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_field_added_by_a_newer_build_is_ignored()
    {
        byte[] newer = [.. new Actors.Protocols.Wire.Drain { Epoch = 7 }.ToByteArray(), 0x7a, 2, 1, 2]; // field 15, two bytes
        Assert.Equal(new Drain(new(7)), wire.Serializer.FromBinary(newer, "Drain/1"));
    }

    private static (long Unknown, long Malformed, long Received) Dropped(WireSnapshot s) =>
        (s.UnknownDropped, s.MalformedDropped, s.Received);

    /// <summary>Ways to break a message. <paramref name="find"/> leads from the message to its part with this schema.</summary>
    private static IEnumerable<(FieldDescriptor Field, Action<IMessage> Break)> Breaks(
        MessageDescriptor schema, Func<IMessage, IMessage> find)
    {
        foreach (var field in schema.Fields.InDeclarationOrder())
        {
            object Value(IMessage root) => field.Accessor.GetValue(find(root));
            IMessage Part(IMessage root) => (IMessage)(field.IsRepeated ? ((IList)Value(root))[0]! : Value(root));
            var inside = field.FieldType == FieldType.Message ? Breaks(field.MessageType, Part) : [];
            foreach (var inner in inside) yield return inner;
            if (field.IsRepeated) yield return (field, root => Overfill((IList)Value(root), field));
            else if (field.FieldType == FieldType.Message) yield return (field, root => field.Accessor.Clear(find(root)));
            foreach (object bad in BadValues(field))
            {
                if (field.IsRepeated) yield return (field, root => ((IList)Value(root)).Add(bad));
                else yield return (field, root => field.Accessor.SetValue(find(root), bad));
            }
        }
    }

    private static IEnumerable<object> BadValues(FieldDescriptor field) => AnyNumber.Contains(field.Name) ? [] : field.FieldType switch
    {
        FieldType.Int32 or FieldType.SInt32 => [-2, int.MinValue],
        FieldType.Int64 => [-2L, long.MinValue],
        FieldType.Float => [-1f, float.NaN, float.PositiveInfinity],
        FieldType.Double => [-1.0, double.NaN, double.PositiveInfinity],
        FieldType.Enum => [Enum.ToObject(field.EnumType.ClrType, 99), Enum.ToObject(field.EnumType.ClrType, -1)],
        FieldType.String => [new string('x', WireCheck.MaxText + 1)],
        FieldType.Bytes => [ByteString.CopyFrom(new byte[WireCheck.MaxSecret + 1])],
        FieldType.Bool or FieldType.Message or FieldType.Fixed64 => [],
        var other => throw new NotSupportedException($"{field.FullName} is a {other}: say which of its values are bad"),
    };

    /// <summary>More items than any list of their kind may have.</summary>
    private static void Overfill(IList list, FieldDescriptor field)
    {
        bool few = field.FieldType is FieldType.String or FieldType.Message or FieldType.Double;
        int count = (few ? WireCheck.MaxItems : WireCheck.MaxIds) + 1;
        object item = list[0]!;
        object small = item is IMessage ? field.MessageType.Parser.ParseFrom([])
            : item is string ? "" : Activator.CreateInstance(item.GetType())!;
        list.Clear();
        for (int i = 0; i < count; i++) list.Add(small);
    }

    private void Accepts(ProtocolMessage message) => Assert.Null(Samples.Difference(message, wire.Carry(message)));

    private void Refuses(ProtocolMessage message, string field)
    {
        var error = Assert.Throws<SerializationException>(() => wire.Carry(message));
        Assert.Contains(field, error.Message, StringComparison.OrdinalIgnoreCase);
    }
}
