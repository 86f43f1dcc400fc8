namespace Troupe.Actors.Configuration;

/// <summary>hocon/reference.conf, which is compiled in: every key of ours with its default, and what we set for Akka.NET.</summary>
public static class ReferenceConfig
{
    /// <summary>The dispatcher of actors whose turns are short and wait for nothing.</summary>
    public const string StepDispatcher = "akka.actor.step-dispatcher";

    private const string Resource = "Troupe.Actors.reference.conf";
    private static readonly Lazy<HoconText> s_text = new(Read);

    /// <summary>The file, checked.</summary>
    public static HoconText Text => s_text.Value;

    private static HoconText Read()
    {
        using Stream stream = typeof(ReferenceConfig).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidOperationException(
                $"{Resource} is not in {typeof(ReferenceConfig).Assembly.GetName().Name}: see its project file");
        using var reader = new StreamReader(stream);
        return HoconText.Parse("hocon/reference.conf", reader.ReadToEnd());
    }
}
