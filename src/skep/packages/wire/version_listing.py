"""A published version, as answers of a marketplace hold it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from skep.digests import Digest
from skep.packages.fields import Fields
from skep.packages.wire.reading import (
    NOTHING,
    read_digest,
    read_document,
    read_line,
    read_unknown,
    read_version,
)
from skep.versions import Version

_KNOWN = frozenset(
    {
        "package",
        "version",
        "digest",
        "published_at",
        "summary",
        "licence",
        "signed_by",
        "label",
        "verdict",
    }
)


@dataclass(frozen=True, slots=True)
class VersionListing:
    """A published version, as a marketplace presents it: claims, until the package is verified.

    Attributes:
        package: ``publisher/name``.
        version: of the package.
        digest: of its manifest.
        published_at: RFC 3339, as the marketplace writes it; may be empty.
        summary: one printable line.
        licence: SPDX expression.
        signed_by: fingerprint of the key, empty if not said.
        label: permissions, requirements, cost as the marketplace derived them.
        verdict: of the marketplace's review.
        unknown: what this version of Skep does not know.
    """

    package: str
    version: Version
    digest: Digest
    published_at: str
    summary: str
    licence: str
    signed_by: str
    label: Mapping[str, object]
    verdict: Mapping[str, object]
    unknown: Mapping[str, object] = field(default_factory=lambda: NOTHING)

    def to_document(self) -> dict[str, object]:
        """As JSON, without the name of the package."""
        return {
            **self.unknown,
            "version": str(self.version),
            "digest": str(self.digest),
            "published_at": self.published_at,
            "summary": self.summary,
            "licence": self.licence,
            "signed_by": self.signed_by,
            "label": dict(self.label),
            "verdict": dict(self.verdict),
        }


def read_version_listing(fields: Fields, package: str) -> VersionListing:
    """Read a version of ``package``; problems are noted in ``fields``."""
    return VersionListing(
        package=package,
        version=read_version(fields),
        digest=read_digest(fields),
        published_at=read_line(fields, "published_at"),
        summary=read_line(fields, "summary"),
        licence=read_line(fields, "licence"),
        signed_by=read_line(fields, "signed_by"),
        label=read_document(fields, "label"),
        verdict=read_document(fields, "verdict"),
        unknown=read_unknown(fields, _KNOWN),
    )
