using System.CommandLine;
using System.Text.Json;
using Troupe.Actors.Configuration;
using Troupe.Actors.Hosting;
using Troupe.Actors.Planning;
using Troupe.Cli.Options;
using Troupe.Cli.Output;
using Troupe.Cli.Running;
using Troupe.Devices.Topology;

namespace Troupe.Cli.Verbs;

/// <summary>troupe plan: who would own what, what it would take, and whether it fits, without loading weights.</summary>
internal static class PlanVerb
{
    private const double Giga = 1e9;

    /// <summary>Makes the verb.</summary>
    public static Verb Create(Shell shell)
    {
        var own = new PlanOptions();
        var model = new ModelOptions();
        var verb = new Verb("plan", "Shows who would own what, the memory it takes, what crosses links, and whether it fits",
            "./troupe plan --model models/sample --stages 2 --replicas 2")
        {
            Details = "Reads config.json, and of weights no more than their headers; --model may be a config.json alone. Exit code 1 when "
                + "the layout does not fit. With --suggest N the layouts of N ranks, best first.",
        };
        verb.Add(own);
        verb.Add(model);
        return verb.Runs((parsed, _) => Task.FromResult(Run(shell, parsed, own, model, verb.Output.Json(parsed))));
    }

    private static int Run(Shell shell, ParseResult parsed, PlanOptions own, ModelOptions model, bool json)
    {
        int suggest = parsed.GetValue(own.Suggest);
        if (suggest > 0 && model.LayoutGiven(parsed) is { } given)
            throw new UsageException($"--suggest tries all layouts of {suggest} ranks: leave out {given}");
        HoconText? config = parsed.GetValue(own.Config) is { } file ? HoconText.Load(file) : null;
        RunSettings settings = model.Read(parsed, shell.Warn, config);
        PlanRequest request = Request(parsed, own, settings);
        if (suggest > 0)
        {
            SuggestReport suggested = Suggester.Rank(request, suggest);
            if (json) shell.Out.WriteLine(JsonSerializer.Serialize(suggested, CliJson.Default.SuggestReport));
            else PlanText.Write(shell, suggested);
            return suggested.Layouts.Any(layout => layout.Fits) ? ExitCode.Done : ExitCode.Failed;
        }
        LayerSplit? split = settings.Options.Split;
        // A split that does not fit the model is a slip of the fingers, as in other verbs; a model that does not fit a layout is an answer.
        if (split is not null && settings.Layout.Stages <= request.Model.Config.Layers
            && split.Problem(request.Model.Config.Layers, settings.Layout.Stages) is { } wrong) throw new UsageException(wrong);
        PlanReport plan = Planner.Make(request);
        if (json) shell.Out.WriteLine(JsonSerializer.Serialize(plan, CliJson.Default.PlanReport));
        else PlanText.Write(shell, plan);
        return plan.Fits ? ExitCode.Done : ExitCode.Failed;
    }

    private static PlanRequest Request(ParseResult parsed, PlanOptions own, RunSettings settings)
    {
        ModelSource source = Models.Outline(settings.Options.Model);
        HostsFile? hosts = parsed.GetValue(own.Hosts) is { } file ? HostsFile.Parse(file, File.ReadAllText(file)) : null;
        LayerProfile? profile = parsed.GetValue(own.Profile) is { } measured
            ? LayerProfile.Parse(measured, File.ReadAllText(measured), source.Config.Layers) : null;
        return new PlanRequest(settings.Options, source, hosts, HostMemory.AvailableBytes())
        {
            Profile = profile, InProcess = settings.InProcess, ReadBytesPerSecond = parsed.GetValue(own.Bandwidth) * Giga,
        };
    }

    private sealed class PlanOptions : IOptions
    {
        public Option<string?> Hosts { get; } = Opt.OptionalText("--hosts", "FILE",
            "Hosts, one a line: name slots [memory GiB] (default: all ranks on this host)");

        public Option<int> Suggest { get; } = Opt.Int("--suggest", "Ranks the layouts of N ranks; 0: plans the one given", 0,
            Layout.MaxRanks, 0);

        public Option<string?> Profile { get; } = Opt.OptionalText("--profile", "FILE.json", "Measured times to split layers by: layer_us, "
            + "embedding_us, head_us");

        public Option<string?> Config { get; } =
            Opt.OptionalText("--config", "FILE", "HOCON over hocon/reference.conf; options on the command line win", "-c");

        public Option<double> Bandwidth { get; } = Opt.Number("--bandwidth", "GB/s of weights that a rank reads, for --suggest", 10,
            "a number above 0", x => x > 0 && double.IsFinite(x));

        public OptionGroup Group => field ??= new OptionGroup("Options", [Hosts, Suggest, Profile, Config, Bandwidth]);
    }
}
