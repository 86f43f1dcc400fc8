using System.Runtime.CompilerServices;

namespace Troupe.Model.Tokenizer;

/// <summary>How the methods are compiled that run for every character.</summary>
internal static class Hot
{
    /// <summary>
    /// At once and fully optimized. A long text is one call, and a method changes to its next tier only between calls or, in part, in
    /// long loops: the first text of a process took twice as long.
    /// </summary>
    public const MethodImplOptions Path = MethodImplOptions.AggressiveOptimization;
}
