"""What can go wrong with reports."""

from skep.errors import Malformed


class MalformedReport(Malformed):
    """A document is not a report of a version we know."""
