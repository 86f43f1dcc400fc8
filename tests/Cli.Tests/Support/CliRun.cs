using System.Text;
using System.Text.Json;
using Troupe.Cli.Output;
using Xunit;

namespace Troupe.Cli.Tests.Support;

/// <summary>The program run inside the test: arguments and stdin in, exit code, stdout and stderr out.</summary>
internal sealed record CliRun(int Code, string Out, string Error)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Runs a command line in which nobody sits at a terminal.</summary>
    public static Task<CliRun> Of(params string[] args) => With(Stream.Null, args);

    /// <summary>The same with something on stdin.</summary>
    public static async Task<CliRun> With(Stream input, string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        var shell = new Shell { Out = output, Error = TextWriter.Synchronized(error), OpenInput = () => input };
        using var limit = new CancellationTokenSource(Limit);
        int code = await CommandLine.RunAsync(args, shell, limit.Token);
        return new CliRun(code, output.ToString(), error.ToString());
    }

    /// <summary>The same with text on stdin.</summary>
    public static Task<CliRun> With(string input, params string[] args) => With(new MemoryStream(Encoding.UTF8.GetBytes(input)), args);

    /// <summary>stdout as one JSON value; fails where anything else stands beside it or a character is not ASCII.</summary>
    public JsonElement Json()
    {
        Assert.True(Code == ExitCode.Done, $"exit code {Code}: {Error}");
        Assert.True(Out.All(char.IsAscii), "JSON must be ASCII");
        using var document = JsonDocument.Parse(Out);
        return document.RootElement.Clone();
    }

    /// <summary>Fails unless this is an error of one line with this exit code; hands the line out.</summary>
    public string OneLine(int code)
    {
        Assert.True(code == Code, $"exit code {Code}, wanted {code}\nstdout: {Out}\nstderr: {Error}");
        Assert.Equal("", Out);
        string line = Assert.Single(Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("troupe: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("a defect in Troupe", line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
        return line;
    }
}
