"""What can go wrong with reports."""

from skep.errors import Malformed, Unsupported


class MalformedReport(Malformed):
    """A document is not a report of a version we know."""


class TooComplex(Unsupported):
    """Analysing it would take longer than anybody should wait: no real object comes near."""
