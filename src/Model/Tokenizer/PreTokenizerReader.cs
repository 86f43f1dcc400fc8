using System.Text.Json;
using Troupe.Model.Checkpoints;
using Troupe.Model.Tokenizer.Patterns;

namespace Troupe.Model.Tokenizer;

/// <summary>Reads the "pre_tokenizer" of a tokenizer.json: Split, ByteLevel, Metaspace, Digits, Punctuation, or a Sequence of
/// them.</summary>
internal sealed class PreTokenizerReader(TokenizerJson json)
{
    /// <summary>What ByteLevel with use_regex cuts by: the pattern of GPT-2.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private const int MaxSteps = 32, MaxPrefixes = 4;

    private static readonly Lazy<PatternScanner> s_words = new(() => Known(Gpt2Pattern)), s_digits = new(() => Known(@"\p{N}")),
        s_punctuation = new(() => Known(@"[\p{P}$+<=>^`|~]"));

    private readonly List<CuttingStep> _steps = [];
    private bool _byteLevel;

    /// <summary>The steps; none where the value is absent: the whole text is one piece.</summary>
    public PreTokenizer Read(JsonElement? value)
    {
        if (value is { } given) Add(given, "pre_tokenizer");
        return new PreTokenizer(_steps, _byteLevel);
    }

    private void Add(JsonElement value, string at)
    {
        string kind = json.Kind(value, at, "ByteLevel", "Digits", "Metaspace", "Punctuation", "Sequence", "Split");
        if (_byteLevel) throw json.Wrong($"{at} is behind ByteLevel, which must be the last step");
        if (_steps.Count >= MaxSteps) throw json.Wrong($"{at}: more than {MaxSteps} steps");
        switch (kind)
        {
            case "Split":
                bool invert = json.Flag(value, "invert");
                _steps.Add(new CuttingStep.Split(json.Pattern(value, at), Behavior(value, at), invert));
                break;
            case "ByteLevel":
                ByteLevel(value);
                break;
            case "Metaspace":
                Metaspace(value, at);
                break;
            case "Digits":
                SplitBehavior behavior = json.Flag(value, "individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous;
                _steps.Add(new CuttingStep.Split(s_digits.Value, behavior, Invert: false));
                break;
            case "Punctuation":
                SplitBehavior signs = TokenizerJson.Optional(value, "behavior") is null ? SplitBehavior.Isolated : Behavior(value, at);
                _steps.Add(new CuttingStep.Split(s_punctuation.Value, signs, Invert: false));
                break;
            default:
                foreach ((JsonElement inner, string where) in json.Items(value, "pretokenizers", at)) Add(inner, where);
                break;
        }
    }

    private void ByteLevel(JsonElement value)
    {
        if (json.Flag(value, "add_prefix_space")) Add(new CuttingStep.Prefix(' ', ReplacesBlanks: false, PrefixScheme.Always));
        if (json.Flag(value, "use_regex", absent: true))
            _steps.Add(new CuttingStep.Split(s_words.Value, SplitBehavior.Isolated, Invert: false));
        _byteLevel = true;
    }

    private void Metaspace(JsonElement value, string at)
    {
        if (json.Text(value, "replacement", at + ".") is not [var sign] || char.IsSurrogate(sign))
            throw json.Wrong($"{at}.replacement must be one character of the basic plane");
        PrefixScheme scheme = Scheme(value, at);
        Add(new CuttingStep.Prefix(sign, ReplacesBlanks: true, scheme));
        if (!json.Flag(value, "split", absent: true)) return;
        PatternScanner cut = PatternScanner.Of(PatternParser.Literal(sign.ToString()));
        _steps.Add(new CuttingStep.Split(cut, SplitBehavior.MergedWithNext, Invert: false));
    }

    // Each may double the pieces, where another step cuts behind the sign.
    private void Add(CuttingStep.Prefix prefix)
    {
        _steps.Add(prefix);
        if (_steps.Count(step => step is CuttingStep.Prefix) > MaxPrefixes)
            throw json.Wrong($"pre_tokenizer: more than {MaxPrefixes} steps set a sign before each piece");
    }

    private PrefixScheme Scheme(JsonElement value, string at)
    {
        PrefixScheme scheme = TokenizerJson.Optional(value, "prepend_scheme") is null
            ? PrefixScheme.Always
            : json.Text(value, "prepend_scheme", at + ".") switch
            {
                "always" => PrefixScheme.Always,
                "first" => PrefixScheme.First,
                "never" => PrefixScheme.Never,
                var other => throw json.Wrong($"{at}.prepend_scheme is {other}; supported: always, first, never"),
            };
        // The older spelling of never.
        return json.Flag(value, "add_prefix_space", absent: true) ? scheme : PrefixScheme.Never;
    }

    private SplitBehavior Behavior(JsonElement value, string at)
    {
        string behavior = json.Text(value, "behavior", at + ".");
        return Enum.TryParse(behavior, out SplitBehavior known) && Enum.IsDefined(known) && !char.IsAsciiDigit(behavior[0])
            ? known
            : throw json.Wrong($"{at}.behavior is {behavior}; supported: {string.Join(", ", Enum.GetNames<SplitBehavior>())}");
    }

    private static PatternScanner Known(string pattern) => PatternScanner.Of(PatternParser.Parse(pattern));
}
