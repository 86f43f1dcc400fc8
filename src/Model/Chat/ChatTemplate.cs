using System.Text.Json;
using Troupe.Model.Checkpoints;

namespace Troupe.Model.Chat;

/// <summary>
/// A model's chat template: turns messages into the text that the model was trained to continue. Templates are Jinja, in the part of
/// the language that chat templates use and with the settings that the reference renders them with. Time, depth and output are bounded.
/// Immutable; safe to share between threads.
/// </summary>
public sealed class ChatTemplate
{
    /// <summary>The most characters of a template.</summary>
    public const int MaxLength = 1 << 20;

    private readonly string _path;
    private readonly IReadOnlyList<Statement> _statements;

    private ChatTemplate(string path, IReadOnlyList<Statement> statements) => (_path, _statements) = (path, statements);

    /// <summary>Variables that the template gets unless the arguments have them: bos_token and the like.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    internal ChatTemplate WithTokens(IReadOnlyDictionary<string, string> tokens) => new(_path, _statements) { SpecialTokens = tokens };

    /// <summary>Reads a template; the path is for messages.</summary>
    /// <exception cref="ModelException">It is broken or uses what is not supported; the message has its line.</exception>
    public static ChatTemplate Parse(string path, string template)
    {
        if (template.Length > MaxLength)
            throw new ModelException($"{path}: {template.Length} characters, a chat template has at most {MaxLength}");
        try
        {
            return new ChatTemplate(path, TemplateParser.Parse(template));
        }
        catch (TemplateFault fault)
        {
            throw Wrong(path, fault);
        }
    }

    /// <summary>The template of a model folder, with its special tokens.</summary>
    /// <param name="folder">The folder, with chat_template.jinja or a tokenizer_config.json that has chat_template.</param>
    /// <param name="tools">Whether tools are given: of several named templates tool_use is for them.</param>
    /// <exception cref="ModelException">There is none, or it is broken.</exception>
    public static ChatTemplate Load(string folder, bool tools = false) => ChatTemplateFiles.Load(folder, tools);

    /// <summary>The text for these arguments: an object with "messages" and whatever else the template reads.</summary>
    /// <exception cref="ModelException">The template refuses the arguments, or goes beyond its bounds; the message has its
    /// line.</exception>
    public string Render(JsonElement arguments, TimeProvider clock) => Render(arguments, clock, new TemplateBudget());

    internal string Render(JsonElement arguments, TimeProvider clock, TemplateBudget budget)
    {
        var variables = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach ((string name, string token) in SpecialTokens) variables[name] = token;
        foreach (JsonProperty property in arguments.EnumerateObject()) variables[property.Name] = JsonText.Read(property.Value);
        try
        {
            return Renderer.Render(_statements, variables, clock, budget);
        }
        catch (TemplateFault fault)
        {
            throw Wrong(_path, fault);
        }
    }

    private static ModelException Wrong(string path, TemplateFault fault) =>
        new($"{path}: chat template, line {fault.Line}: {ModelFiles.OneLine(fault.Message)}", fault);
}
