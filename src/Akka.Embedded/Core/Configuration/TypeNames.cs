namespace Akka.Configuration;

/// <summary>Classes named in our own configuration, as "Namespace.Type, Assembly".</summary>
internal static class TypeNames
{
    /// <summary>The type, or null. Names of Akka.NET's own assemblies mean this one.</summary>
    public static Type Resolve(string name)
    {
        var type = Type.GetType(name, throwOnError: false);
        if (type is not null) return type;
        int comma = name.IndexOf(',');
        bool ours = comma < 0 || name[(comma + 1)..].Trim().Split(',')[0] is "Akka" or "Akka.Remote" or "Akka.Cluster" or "Akka.Cluster.Tools";
        return ours ? typeof(TypeNames).Assembly.GetType((comma < 0 ? name : name[..comma]).Trim()) : null;
    }
}
