using Akka.Actor;

namespace Akka.Configuration;

/// <summary>A setting is missing, malformed or cannot be honoured.</summary>
public class ConfigurationException(string message, Exception exception = null) : AkkaException(message, exception);
