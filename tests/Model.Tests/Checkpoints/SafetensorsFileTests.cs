using Troupe.Model.Checkpoints;
using Troupe.Testing;
using Xunit;

namespace Troupe.Model.Tests.Checkpoints;

public sealed class SafetensorsFileTests
{
    private const string Two =
        """{"a":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""";

    private static string Refusal(byte[] bytes)
    {
        using var folder = new TempFolder();
        string path = folder.Write("x.safetensors", bytes);
        string message = Assert.Throws<ModelException>(() => SafetensorsFile.Open(path).Dispose()).Message;
        Assert.Contains(path, message);
        Assert.DoesNotContain('\n', message);
        return message;
    }

    [Fact]
    public void A_sound_file_gives_views_of_its_data()
    {
        using var folder = new TempFolder();
        using var file = SafetensorsFile.Open(folder.WriteTensors("x.safetensors", Two, 12));
        Assert.Equal(["a", "b"], file.Names.Order());
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], file.Get("a").Bytes.ToArray());
        Assert.Equal([8, 9, 10, 11], file.Get("b").Bytes.ToArray());
        Assert.Equal([2, 2], file.Get("a").Shape.ToArray());
    }

    [Fact]
    public void Scalars_and_empty_tensors_are_tensors_too()
    {
        using var folder = new TempFolder();
        const string header =
            """{"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F16","shape":[0,7],"data_offsets":[4,4]}}""";
        using var file = SafetensorsFile.Open(folder.WriteTensors("x.safetensors", header, 4));
        Assert.Equal(1, file.Get("s").Elements);
        Assert.Equal(0, file.Get("e").Bytes.Length);
    }

    [Theory]
    [InlineData("a begins", """{"a":{"dtype":"BF16","shape":[4],"data_offsets":[4,12]}}""", "tensor a begins at 4, but 0 is the next byte")]
    [InlineData("overlap",
        """{"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[4,12]}}""",
        "tensor b begins at 4 and overlaps a, which ends at 8")]
    [InlineData("overlap of one byte",
        """{"a":{"dtype":"U8","shape":[7],"data_offsets":[0,7]},"b":{"dtype":"U8","shape":[6],"data_offsets":[6,12]}}""",
        "tensor b begins at 6 and overlaps a, which ends at 7")]
    [InlineData("count", """{"a":{"dtype":"BF16","shape":[5],"data_offsets":[0,12]}}""",
        "tensor a: BF16 [5] takes 10 bytes, but data_offsets give 12")]
    [InlineData("range", """{"a":{"dtype":"BF16","shape":[8],"data_offsets":[0,16]}}""",
        "tensor a: ends at byte 16 of the data, but the file has 12 bytes")]
    [InlineData("rest", """{"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}""",
        "end at byte 8 of the data, but the file has 12 bytes of data")]
    [InlineData("dtype", """{"a":{"dtype":"Q7","shape":[4],"data_offsets":[0,12]}}""", "tensor a: unknown dtype Q7; known: BF16")]
    [InlineData("no dtype", """{"a":{"shape":[4],"data_offsets":[0,12]}}""", "tensor a: dtype is missing")]
    [InlineData("no shape", """{"a":{"dtype":"F32","data_offsets":[0,12]}}""", "tensor a: shape is missing")]
    [InlineData("shape", """{"a":{"dtype":"F32","shape":[-3],"data_offsets":[0,12]}}""",
        "tensor a: shape must be a list of integers in [0, 2147483647], got -3")]
    [InlineData("text", """{"a":{"dtype":"F32","shape":"3","data_offsets":[0,12]}}""", "tensor a: shape must be a list of integers")]
    [InlineData("huge", """{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,12]}}""", "is too large")]
    [InlineData("order", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[12,8]}}""",
        "data_offsets must be [begin, end] with 0 <= begin <= end, got [12,8]")]
    [InlineData("three", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""", "data_offsets must be [begin, end]")]
    [InlineData("none", """{"a":{"dtype":"F32","shape":[1]}}""", "data_offsets must be [begin, end] with 0 <= begin <= end, got nothing")]
    [InlineData("negative", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}""", "data_offsets must be [begin, end]")]
    [InlineData("number", """{"a":7}""", "tensor a: an object is wanted, got 7")]
    [InlineData("list", """[1]""", "a JSON object is wanted, got a list")]
    [InlineData("broken", """{"a":""", "not valid JSON")]
    [InlineData("twice", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""",
        "not valid JSON")]
    public void A_header_that_does_not_fit_the_data_names_the_tensor_and_both_numbers(string what, string header, string expected) =>
        Assert.True(Refusal(TempFolder.Tensors(header, 12)) is var message && message.Contains(expected), $"{what}: {message}");

    [Fact]
    public void A_file_cut_off_anywhere_is_refused()
    {
        byte[] whole = TempFolder.Tensors(Two, 12);
        for (int length = 0; length < whole.Length; length++) Refusal(whole[..length]);
        Assert.Contains("tensor b: ends at byte 12 of the data, but the file has 11 bytes of data; truncated?", Refusal(whole[..^1]));
        Assert.Contains("the file ends after 2 of them; truncated?", Refusal(whole[..10]));
        Assert.Contains("0 bytes; a safetensors file has at least 8", Refusal([]));
    }

    [Fact]
    public void A_header_length_that_cannot_be_is_refused_before_anything_is_allocated() =>
        Assert.Contains("is it a safetensors file?", Refusal([.. "PK\u0003\u0004 some other file"u8]));

    [Fact]
    public void Random_damage_of_a_header_gives_a_model_exception_or_a_readable_file()
    {
        Random random = Seed.For(nameof(Random_damage_of_a_header_gives_a_model_exception_or_a_readable_file));
        using var folder = new TempFolder();
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = TempFolder.Tensors(Two, 12);
            for (int n = random.Next(1, 4); n > 0; n--) bytes[random.Next(bytes.Length - 12)] = (byte)random.Next(256);
            string path = folder.Write("x.safetensors", bytes);
            try
            {
                using var file = SafetensorsFile.Open(path);
                long sum = 0;
                foreach (string name in file.Names)
                    try { foreach (byte b in file.Get(name).Bytes) sum += b; }
                    catch (ModelException) { }
                Assert.True(sum >= 0);
            }
            catch (ModelException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }
    }

    [Fact]
    public void A_type_that_is_not_supported_is_refused_when_it_is_asked_for()
    {
        using var folder = new TempFolder();
        const string header = """{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}""";
        using var file = SafetensorsFile.Open(folder.WriteTensors("x.safetensors", header, 8));
        Assert.Contains("tensor a has dtype I64; supported: BF16, F16, F32", Assert.Throws<ModelException>(() => file.Get("a")).Message);
        Assert.Contains("no tensor c", Assert.Throws<ModelException>(() => file.Get("c")).Message);
    }

    [Fact]
    public void A_closed_file_gives_no_more_views()
    {
        using var folder = new TempFolder();
        var file = SafetensorsFile.Open(folder.WriteTensors("x.safetensors", Two, 12));
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Get("a"));
    }
}
