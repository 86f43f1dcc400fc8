using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Troupe.Model.Tests")]
