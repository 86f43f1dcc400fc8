namespace Troupe.Actors.Hosting;

/// <summary>Waits that give up quietly: for what is nice to have at an end.</summary>
internal static class Grace
{
    /// <summary>Waits for a task, but not longer than this.</summary>
    public static async Task WithinAsync(this Task task, TimeSpan limit)
    {
        try
        {
            await task.WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            // The process ends anyway; what hangs in it goes along.
        }
    }
}
