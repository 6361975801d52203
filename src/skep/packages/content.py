"""What a package is made of, and the limits that hold for building and for opening one."""

from collections.abc import Mapping
from dataclasses import dataclass

from skep.digests import Digest
from skep.packages.metadata import PackageMetadata
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.media_types import DESCRIPTION, LICENCES, TITLE, VERSION

LARGEST_PACKAGE = 32 * 1024 * 1024  # bytes of all layers together
LARGEST_README = 1024 * 1024  # bytes
MOST_OBJECTS = 32

METADATA_TITLE = "skep.toml"
REPORT_TITLE = "report.json"
README_TITLE = "README.md"
SOURCES_TITLE = "sources.tar"


@dataclass(frozen=True, slots=True)
class Package:
    """A package as OCI content.

    Attributes:
        metadata: as parsed from its ``skep.toml``.
        manifest: descriptor of the manifest; its digest names the package.
        manifest_data: the manifest's bytes.
        blobs: the manifest and everything it names, by digest.
    """

    metadata: PackageMetadata
    manifest: Descriptor
    manifest_data: bytes
    blobs: Mapping[Digest, bytes]


@dataclass(frozen=True, slots=True)
class PackageContent:
    """An opened package: every byte was hashed.

    Attributes:
        metadata: as parsed.
        manifest: descriptor of the manifest; its digest names the package.
        metadata_toml: the ``skep.toml`` itself.
        objects: object files by file name.
        report: analysis report, JSON; a claim until it is derived again.
        readme: Markdown, UTF-8; empty if there is none.
        sources: by path; empty if there are none.
    """

    metadata: PackageMetadata
    manifest: Descriptor
    metadata_toml: bytes
    objects: Mapping[str, bytes]
    report: bytes
    readme: bytes
    sources: Mapping[str, bytes]


def annotations_of(metadata: PackageMetadata) -> dict[str, str]:
    """The manifest's annotations, which listings show and the content must match."""
    return {
        TITLE: metadata.name,
        VERSION: str(metadata.version),
        LICENCES: metadata.licence,
        DESCRIPTION: metadata.summary,
    }
