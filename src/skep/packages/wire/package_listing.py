"""``GET /api/v1/packages/<publisher>/<name>``: a package with its published versions."""

from dataclasses import dataclass

from skep.digests import Digest
from skep.json_documents import schema_id
from skep.packages.fields import Fields
from skep.packages.wire.reading import check_schema, read_package
from skep.packages.wire.version_listing import VersionListing, read_version_listing
from skep.versions import Version, newness

SCHEMA = schema_id("package")
_FORMER = "skep.package/v1"
_MOST_VERSIONS = 10_000


@dataclass(frozen=True, slots=True)
class PackageListing:
    """A package with its published versions, newest first.

    Attributes:
        package: ``publisher/name``.
        versions: as the marketplace orders them; at least one.
    """

    package: str
    versions: tuple[VersionListing, ...]

    def meant(self, version: Version | None, digest: Digest | None) -> VersionListing | None:
        """The version a reference means, the newest if it states none; ``None`` if it is not here.

        Decided here, whatever the order of the answer.
        """
        fitting = [
            one
            for one in self.versions
            if version in (None, one.version) and digest in (None, one.digest)
        ]
        return max(fitting, key=lambda one: newness(one.version), default=None)

    def to_document(self) -> dict[str, object]:
        """As JSON."""
        versions = [version.to_document() for version in self.versions]
        return {"schema": SCHEMA, "package": self.package, "versions": versions}


def read_package_listing(fields: Fields, package: str) -> PackageListing:
    """Read an answer about ``package``; an answer about another one is a problem."""
    check_schema(fields, SCHEMA, _FORMER)
    versions = tuple(
        read_version_listing(version, package)
        for version in fields.tables("versions", _MOST_VERSIONS)
    )
    if read_package(fields) != package or not versions:
        fields.problem("package", f"expected {package} with at least one version")
    return PackageListing(package, versions)
