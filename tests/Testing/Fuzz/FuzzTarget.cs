namespace Troupe.Testing.Fuzz;

/// <summary>One kind of input that is fuzzed: how inputs are made, and what reading one must come to.</summary>
public abstract class FuzzTarget
{
    /// <summary>Its name, as in TROUPE_FUZZ_CASE.</summary>
    public abstract string Kind { get; }

    /// <summary>Cases of a run of the test suite.</summary>
    public abstract int Cases { get; }

    /// <summary>Sound inputs: the mutations start from them.</summary>
    public abstract IReadOnlyList<byte[]> Seeds { get; }

    /// <summary>Whether all of them load, whatever they are used with.</summary>
    public virtual bool SeedsLoad => true;

    /// <summary>An input, most often a damaged one.</summary>
    public abstract byte[] Make(Random random);

    /// <summary>
    /// Reads an input and uses what was read, with <see cref="Check"/> on the way. Anything thrown that is no <see cref="IsRefusal"/>
    /// is a bug.
    /// </summary>
    public abstract void Use(byte[] input, Random random);

    /// <summary>Whether an exception is the documented way to say what is wrong with the input.</summary>
    public abstract bool IsRefusal(Exception e);

    /// <summary>The most managed bytes that reading and using an input of this size may allocate.</summary>
    public abstract long MayAllocate(int inputBytes);

    /// <summary>Fails the case if something does not hold.</summary>
    protected static void Check(bool holds, string what)
    {
        if (!holds) throw new FuzzFailureException(what);
    }
}

/// <summary>A case that came to something else than it must.</summary>
public sealed class FuzzFailureException(string message, Exception? inner = null) : Exception(message, inner);
