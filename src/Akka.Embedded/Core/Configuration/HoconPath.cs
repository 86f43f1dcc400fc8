namespace Akka.Configuration.Hocon;

/// <summary>a."b.c".d as its keys.</summary>
internal static class HoconPath
{
    public static List<string> Split(string path)
    {
        var keys = new List<string>();
        int at = 0;
        while (at <= path.Length)
        {
            int end;
            if (at < path.Length && path[at] == '"')
            {
                end = path.IndexOf('"', at + 1);
                if (end < 0) throw new ConfigurationException($"a quote is not closed in the path {path}");
                keys.Add(path[(at + 1)..end++]);
                if (end < path.Length && path[end] != '.') throw new ConfigurationException($"a dot must follow a quoted key, got {path}");
            }
            else
            {
                end = path.IndexOf('.', at);
                if (end < 0) end = path.Length;
                if (end == at) throw new ConfigurationException($"an empty key in the path {path}");
                keys.Add(path[at..end].Trim());
            }
            at = end + 1;
        }
        return keys;
    }
}
