using Troupe.Cli;
using Troupe.Cli.Output;

// The composition root: the process's streams and signals go in, an exit code comes out. Verbs/ has one file per verb.
using var signals = new StopSignals();
return await CommandLine.RunAsync(args, Shell.OfThisProcess(), signals.Token);
