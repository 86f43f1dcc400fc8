using System.CommandLine;
using Troupe.Cli.Input;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Model.Tokenizer;

namespace Troupe.Cli.Verbs;

/// <summary>troupe tokenize: ids and text of lines, with a model's tokenizer.json.</summary>
internal static class TokenizeVerb
{
    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        Option<string> file = Opt.Text("--file", "LINES.jsonl", "One JSON string a line; - is stdin", "-");
        Option<string?> model = Opt.OptionalText("--model", "DIR", "Folder with tokenizer.json (default: models/sample)", "-m");
        var verb = new Verb("tokenize", "Encodes lines with a model's tokenizer, and decodes them again",
            "./troupe tokenize --model models/sample --file lines.jsonl")
        {
            Details = "Writes one JSON object for each line: {text, ids, ids_without_special, decoded, decoded_skip_special}. Blank "
                + "lines are left out.",
        };
        verb.Add(new OwnOptions(file, model));
        return verb.Runs((parsed, _) => Task.FromResult(Run(shell, parsed.GetValue(model) ?? SampleModel.Find(), parsed.GetValue(file)!)));
    }

    private static int Run(Shell shell, string model, string file)
    {
        BpeTokenizer tokenizer = BpeTokenizer.Load(model);
        using Stream input = file == "-" ? shell.OpenInput() : PromptReader.OpenFile(file);
        foreach (string line in TokenizeLines.Run(tokenizer, input, file == "-" ? "stdin" : file)) shell.Out.WriteLine(line);
        return ExitCode.Done;
    }
}
