namespace Troupe.Devices.Fabric;

/// <summary>
/// What a wait does before it sleeps: it spins for a moment, then offers its core to others. With no more ranks than cores a short spin
/// nearly always suffices; with more, spinning holds up the very rank that is waited for.
/// </summary>
internal readonly record struct WaitPolicy(int Spins, int Yields)
{
    /// <summary>
    /// The longest sleep in one piece. Wake-ups are not lost, but a notifier that dies between its store and its wake sends none, and a
    /// process that died is only seen when somebody looks.
    /// </summary>
    public static readonly TimeSpan LongestNap = TimeSpan.FromMilliseconds(20);

    private const int SpinsPerPause = 8;

    public int Turns => Spins + Yields;

    public static WaitPolicy For(int ranks) => ranks <= Environment.ProcessorCount ? new WaitPolicy(50, 50) : new WaitPolicy(2, 10);

    /// <summary>Lets a moment pass.</summary>
    public void Pass(int turn)
    {
        if (turn < Spins) Thread.SpinWait(SpinsPerPause);
        else Thread.Yield();
    }
}
