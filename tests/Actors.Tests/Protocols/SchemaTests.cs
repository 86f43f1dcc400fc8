using Google.Protobuf.Reflection;
using Troupe.Actors.Protocols;
using Troupe.Actors.Protocols.Wire;
using Xunit;

namespace Troupe.Actors.Tests.Protocols;

public sealed class SchemaTests
{
    internal static IReadOnlyList<FileDescriptor> Files { get; } =
        [MembershipReflection.Descriptor, StepsReflection.Descriptor, RequestsReflection.Descriptor, InspectionReflection.Descriptor,
            TraceReflection.Descriptor];

    /// <summary>The schema of a message.</summary>
    internal static MessageDescriptor Of(Type message) =>
        Files.Select(file => file.FindTypeByName<MessageDescriptor>(message.Name)).First(schema => schema is not null);

    [Fact]
    public void Every_schema_starts_with_epoch_and_step()
    {
        foreach (var schema in Samples.Messages.Select(Of))
        {
            Assert.Equal((1, FieldType.Int64), (schema.FindFieldByName("epoch").FieldNumber, schema.FindFieldByName("epoch").FieldType));
            Assert.Equal((2, FieldType.Int64), (schema.FindFieldByName("step").FieldNumber, schema.FindFieldByName("step").FieldType));
        }
    }

    [Fact]
    public void Enums_of_schemas_and_records_have_the_same_names_and_numbers()
    {
        var enums = Files.SelectMany(file => file.EnumTypes).ToList();
        Assert.NotEmpty(enums);
        foreach (var schema in enums)
        {
            var ours = typeof(ProtocolMessage).Assembly.GetType($"{typeof(ProtocolMessage).Namespace}.{schema.Name}", throwOnError: true)!;
            Assert.Equal(
                Enum.GetValues(ours).Cast<Enum>().Select(value => (value.ToString(), Convert.ToInt32(value))),
                Enum.GetValues(schema.ClrType).Cast<Enum>().Select(value => (value.ToString(), Convert.ToInt32(value))));
        }
    }

    [Fact]
    public void Lists_of_numbers_are_packed()
    {
        var numbers = Files.SelectMany(file => file.MessageTypes).SelectMany(message => message.Fields.InDeclarationOrder())
            .Where(field => field.IsRepeated && field.FieldType is not (FieldType.String or FieldType.Message)).ToList();
        Assert.NotEmpty(numbers);
        Assert.All(numbers, field => Assert.True(field.IsPacked, field.FullName));
    }
}
