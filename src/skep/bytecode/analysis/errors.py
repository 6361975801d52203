"""What can go wrong with reports and pictures."""

from skep.errors import Malformed, Refused


class MalformedReport(Malformed):
    """A document is not a report of a version we know."""


class GraphTooLarge(Refused):
    """A program has more blocks than a picture of it could show."""
