"""What ``skep search`` prints."""

from collections.abc import Sequence

from skep.bytecode.analysis.errors import MalformedReport
from skep.bytecode.analysis.label import Label
from skep.cli.label import marks
from skep.cli.output import counted
from skep.cli.surfaces import Surface
from skep.cli.tables import table
from skep.packages.local.marketplaces import Marketplace
from skep.packages.wire.version_listing import VersionListing


def hit_lines(
    hits: Sequence[VersionListing], text: str, place: Marketplace, surface: Surface
) -> list[str]:
    """A line for each package; the marks at the right are those of its permissions."""
    if not hits:
        asked = f"no package matches {text!r}" if text.strip() else "no packages yet"
        return [f"{asked} in {place}"]
    rows = [[hit.package, str(hit.version), hit.summary, _marks(hit, surface)] for hit in hits]
    lines = table(rows, ["package", "version", "summary", "can"], surface, gives_way="summary")
    return [*lines, f"{counted(len(hits), 'package')} in {place}"]


def _marks(hit: VersionListing, surface: Surface) -> str:
    try:
        return marks(Label.from_document(hit.label), surface)
    except MalformedReport:  # of a later version; skep show says so
        return ""
