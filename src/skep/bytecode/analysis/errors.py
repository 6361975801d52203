"""What can go wrong with objects, reports and pictures."""

from skep.errors import Malformed, Refused, Unsupported


class MalformedReport(Malformed):
    """A document is not a report of a version we know."""


class TooComplex(Unsupported):
    """Analysing it would take longer than anybody should wait: no real object comes near."""


class GraphTooLarge(Unsupported):
    """A program has more blocks than a picture of it could show."""


class OutsideLabel(Refused):
    """Linked for a kernel, a program may do what its package's label does not show."""
