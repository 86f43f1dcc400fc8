namespace Troupe.Model.Checkpoints;

/// <summary>
/// A model folder, file or argument that cannot be used. The message is one line that names the file and the key, what stood there,
/// and what was wanted: it can be shown to a user as it is.
/// </summary>
public sealed class ModelException : Exception
{
    /// <summary>An error with a message fit for a user.</summary>
    public ModelException(string message) : base(message) { }

    /// <summary>The same, with what caused it.</summary>
    public ModelException(string message, Exception inner) : base(message, inner) { }
}
