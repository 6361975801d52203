"""What can go wrong between C source and object file."""

from skep.errors import Malformed, NotFound, Unavailable, Unsupported


class CompileFailed(Malformed):
    """The compiler refused the source; its messages are the detail, errors first."""

    begins_with_the_cause = True


class SourceMissing(NotFound):
    """There is no such source file or include directory."""


class HeadersMissing(NotFound):
    """Headers that were asked for are not there, or damaged."""


class CompilerMissing(NotFound):
    """No compiler of the wanted kind and version is installed."""


class CompilerUnsuitable(Unsupported):
    """A compiler is there, but it is too old or gave something that is no BPF object."""


class CompilerStarved(Unavailable):
    """The compiler had no space left for what it writes."""


class CompilerTimeout(Unavailable):
    """The compiler did not finish in the time it was given."""
