"""What ``skep search`` prints."""

from collections.abc import Sequence

from skep.bytecode.analysis.errors import MalformedReport
from skep.bytecode.analysis.label import Label
from skep.cli.label import marks
from skep.cli.surfaces import Surface
from skep.cli.tables import table
from skep.packages.wire.version_listing import VersionListing


def hit_lines(hits: Sequence[VersionListing], surface: Surface) -> list[str]:
    """A line for each package; the marks at the right are those of its permissions."""
    rows = [[hit.package, str(hit.version), hit.summary, _marks(hit, surface)] for hit in hits]
    if not rows:
        return ["nothing found"]
    return table(rows, ["package", "version", "summary", "can"], surface, gives_way="summary")


def _marks(hit: VersionListing, surface: Surface) -> str:
    try:
        return marks(Label.from_document(hit.label), surface)
    except MalformedReport:  # of a later version; skep show says so
        return ""
