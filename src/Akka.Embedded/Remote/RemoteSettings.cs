using Akka.Configuration;

namespace Akka.Remote;

/// <summary>The keys of akka.remote that this build knows, with Akka.NET's defaults. Byte sizes in bytes.</summary>
internal sealed record RemoteSettings(
    string Hostname, int Port, string PublicHostname, int PublicPort, int MaximumFrameSize, TimeSpan ConnectionTimeout,
    TimeSpan GateClosedFor, TimeSpan FlushWait, FailureDetectorSettings WatchDetector)
{
    private const string Tcp = "akka.remote.dot-netty.tcp.", Detector = "akka.remote.watch-failure-detector.";

    /// <exception cref="ConfigurationException">A value is out of range.</exception>
    public static RemoteSettings From(Config config)
    {
        var settings = new RemoteSettings(
            config.GetString(Tcp + "hostname", ""),
            config.GetInt(Tcp + "port", 2552),
            config.GetString(Tcp + "public-hostname", ""),
            config.GetInt(Tcp + "public-port", 0),
            (int)Math.Min(config.GetByteSize(Tcp + "maximum-frame-size", 128_000) ?? 128_000, int.MaxValue / 2),
            config.GetTimeSpan(Tcp + "connection-timeout", TimeSpan.FromSeconds(15)),
            config.GetTimeSpan("akka.remote.retry-gate-closed-for", TimeSpan.FromSeconds(5)),
            config.GetTimeSpan("akka.remote.flush-wait-on-shutdown", TimeSpan.FromSeconds(2)),
            new FailureDetectorSettings(
                config.GetTimeSpan(Detector + "heartbeat-interval", TimeSpan.FromSeconds(1)).TotalMilliseconds,
                config.GetTimeSpan(Detector + "acceptable-heartbeat-pause", TimeSpan.FromSeconds(10)).TotalMilliseconds,
                config.GetDouble(Detector + "threshold", 10)));
        if (settings.Port is < 0 or > 65535) throw Wrong("port", "0 to 65535", settings.Port);
        if (settings.MaximumFrameSize < 32_000) throw Wrong("maximum-frame-size", "at least 32000 bytes", settings.MaximumFrameSize);
        return settings;
    }

    private static ConfigurationException Wrong(string key, string wanted, object got) =>
        new($"{Tcp}{key} must be {wanted}, got {got}");
}
