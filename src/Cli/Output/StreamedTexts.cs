using System.Text;
using Troupe.Actors.Protocols;
using Troupe.Cli.Input;
using Troupe.Cli.Running;

namespace Troupe.Cli.Output;

/// <summary>
/// Writes texts as plain lines: a single one as it comes, of several each when it is complete, under a line that names it.
/// </summary>
internal sealed class StreamedTexts(Shell shell, IReadOnlyList<Prompt> prompts, IReadOnlyList<RequestSpec> requests)
{
    private readonly StringBuilder[] _texts = [.. prompts.Select(_ => new StringBuilder())];

    /// <summary>Takes in what happened to a request.</summary>
    public void On(BatchEvent happened)
    {
        if (prompts.Count == 1)
        {
            if (happened.Text.Length > 0) shell.Out.Write(happened.Text);
            if (happened.Reason is not null) shell.Out.WriteLine();
            return;
        }
        StringBuilder text = _texts[happened.Index].Append(happened.Text);
        if (happened.Reason is null) return;
        shell.Out.WriteLine($"--- {prompts[happened.Index].Where} ({requests[happened.Index].Id}): {happened.Reason}, "
            + $"{happened.Tokens} tokens");
        shell.Out.WriteLine(prompts[happened.Index].Text + text);
    }
}
