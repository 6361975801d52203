"""What a publisher gets: the answer to a publish request."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from skep.digests import Digest
from skep.json_documents import schema_id
from skep.packages.fields import Fields
from skep.packages.wire.reading import (
    NOTHING,
    check_schema,
    read_digest,
    read_document,
    read_line,
    read_package,
    read_unknown,
    read_version,
)
from skep.versions import Version

SCHEMA = schema_id("receipt")
_FORMER = "skep.receipt/v1"
_KNOWN = frozenset({"package", "version", "digest", "published_at", "verdict"})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was published when, and what the review said.

    Attributes:
        package: ``publisher/name``.
        version: that is visible now.
        digest: of its manifest.
        published_at: RFC 3339.
        verdict: of the review, naming each rule.
        unknown: what this version of Skep does not know; a receipt is kept by whoever gets it.
    """

    package: str
    version: Version
    digest: Digest
    published_at: str
    verdict: Mapping[str, object]
    unknown: Mapping[str, object] = field(default_factory=lambda: NOTHING)

    def to_document(self) -> dict[str, object]:
        """As JSON."""
        return {
            **self.unknown,
            "schema": SCHEMA,
            "package": self.package,
            "version": str(self.version),
            "digest": str(self.digest),
            "published_at": self.published_at,
            "verdict": dict(self.verdict),
        }


def read_receipt(fields: Fields) -> Receipt:
    """Read a receipt; problems are noted in ``fields``."""
    check_schema(fields, SCHEMA, _FORMER)
    return Receipt(
        package=read_package(fields),
        version=read_version(fields),
        digest=read_digest(fields),
        published_at=read_line(fields, "published_at"),
        verdict=read_document(fields, "verdict"),
        unknown=read_unknown(fields, _KNOWN),
    )
