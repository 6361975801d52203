"""``GET /api/v1/search?q=…``: packages that were found, best first."""

from dataclasses import dataclass

from skep.json_documents import schema_id
from skep.packages.fields import Fields
from skep.packages.wire.reading import check_schema, read_package
from skep.packages.wire.version_listing import VersionListing, read_version_listing

SCHEMA = schema_id("search-answer")
_FORMER = "skep.search/v1"
MOST_HITS = 100


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What was found.

    Attributes:
        hits: the newest version of each package.
    """

    hits: tuple[VersionListing, ...]

    def to_document(self) -> dict[str, object]:
        """As JSON."""
        packages = [{"package": hit.package, **hit.to_document()} for hit in self.hits]
        return {"schema": SCHEMA, "packages": packages}


def read_search_answer(fields: Fields) -> SearchAnswer:
    """Read an answer; problems are noted in ``fields``."""
    check_schema(fields, SCHEMA, _FORMER)
    if "packages" not in fields:
        fields.problem("packages", "expected a list of tables, but it is missing")
    return SearchAnswer(
        tuple(
            read_version_listing(hit, read_package(hit))
            for hit in fields.tables("packages", MOST_HITS)
        )
    )
