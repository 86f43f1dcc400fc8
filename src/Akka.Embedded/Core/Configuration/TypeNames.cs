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
        string assembly = comma < 0 ? "Akka" : name[(comma + 1)..].Split(',')[0].Trim();
        bool ours = assembly is "Akka" or "Akka.Remote" or "Akka.Cluster" or "Akka.Cluster.Tools";
        return ours ? typeof(TypeNames).Assembly.GetType((comma < 0 ? name : name[..comma]).Trim()) : null;
    }
}
