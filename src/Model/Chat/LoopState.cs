namespace Troupe.Model.Chat;

/// <summary>The variable "loop".</summary>
/// <param name="items">What is looped over.</param>
/// <param name="depth">How often the loop has been run from within itself.</param>
/// <param name="again">Runs the loop over other items; null where it is not recursive.</param>
internal sealed class LoopState(IReadOnlyList<object?> items, int depth, Function? again)
{
    private object? _changed = new Undefined("no value yet");

    /// <summary>Runs the loop over other items; null where it is not recursive.</summary>
    public Function? Again => again;

    /// <summary>How many turns there were.</summary>
    public int Index { get; set; }

    /// <summary>A member; null if there is none of the name.</summary>
    public Box? Member(string name) => name switch
    {
        "index" => new Box(Index + 1L),
        "index0" => new Box((long)Index),
        "revindex" => new Box((long)items.Count - Index),
        "revindex0" => new Box(items.Count - Index - 1L),
        "first" => new Box(Index == 0),
        "last" => new Box(Index == items.Count - 1),
        "length" => new Box((long)items.Count),
        "depth" => new Box(depth + 1L),
        "depth0" => new Box((long)depth),
        "previtem" => new Box(Index > 0 ? items[Index - 1] : new Undefined("there is no previous item")),
        "nextitem" => new Box(Index + 1 < items.Count ? items[Index + 1] : new Undefined("there is no next item")),
        "cycle" => Box.Of(new Function(name, arguments => arguments.Plain.Count > 0
            ? arguments.Plain[Index % arguments.Plain.Count] : throw new TemplateFault("no items for cycling given"))),
        "changed" => Box.Of(new Function(name, arguments =>
        {
            var value = new Fixed([.. arguments.Plain]);
            bool differs = !Values.Same(_changed, value);
            _changed = value;
            return differs;
        })),
        _ => null,
    };
}
