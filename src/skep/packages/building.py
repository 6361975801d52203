"""Building a package: metadata, object files, a report, words and sources become OCI content.

Pure and reproducible: the same input gives the same bytes, hence the same digest, on every
machine. Nothing that depends on a time, a user or an order of files goes in.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from skep.json_documents import canonical_json, parse_table
from skep.packages.content import (
    LARGEST_PACKAGE,
    LARGEST_README,
    METADATA_TITLE,
    MOST_OBJECTS,
    README_TITLE,
    REPORT_TITLE,
    SOURCES_TITLE,
    Package,
    annotations_of,
)
from skep.packages.errors import MalformedMetadata, MalformedPackage
from skep.packages.licences import UnknownLicence, check_licence
from skep.packages.metadata import PackageMetadata, parse_metadata
from skep.packages.names import is_file_name, one_line
from skep.packages.oci.descriptors import EMPTY_CONTENT, EMPTY_DESCRIPTOR, Descriptor
from skep.packages.oci.manifests import ImageManifest
from skep.packages.oci.media_types import METADATA, OBJECT, PACKAGE, README, REPORT, SOURCES, TITLE
from skep.packages.source_archive import write_archive

_TITLES = frozenset({METADATA_TITLE, REPORT_TITLE, README_TITLE, SOURCES_TITLE})


@dataclass(frozen=True, slots=True)
class _Layer:
    media_type: str
    title: str
    data: bytes

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor.of(self.data, self.media_type, {TITLE: self.title})


def _check_sources(metadata: PackageMetadata, sources: Mapping[str, bytes]) -> None:
    """Sources may be kept back, but not in part: nobody could build the objects again."""
    missing = [
        path for path in (metadata.build.sources if metadata.build else ()) if path not in sources
    ]
    if sources and missing:
        raise MalformedPackage(
            f"expected all of [build] sources, but {', '.join(missing)} is not there",
            hint="give all sources, or none",
        )


def build(
    metadata_toml: bytes,
    object_data: Mapping[str, bytes],
    report: bytes,
    readme: bytes,
    sources: Mapping[str, bytes],
) -> Package:
    """Make a package.

    Args:
        metadata_toml: the ``skep.toml``, kept byte for byte but for a byte order mark.
        object_data: object files by file name; at least one.
        report: the analysis report as JSON; written canonically.
        readme: Markdown in UTF-8; may be empty.
        sources: by path relative to the ``skep.toml``; may be empty.

    Raises:
        MalformedMetadata: the ``skep.toml`` is wrong, or SPDX does not know its licence.
        MalformedDocument: the report is not JSON.
        MalformedPackage: names, sizes or numbers of files are out of bounds.
    """
    metadata_toml = metadata_toml.removeprefix(codecs.BOM_UTF8)  # older readers know none
    metadata = parse_metadata(metadata_toml)
    try:
        check_licence(metadata.licence)
    except UnknownLicence as error:
        raise MalformedMetadata(
            f"skep.toml: package.licence: {error.message}",
            hint=error.hint,
            detail=f"package.licence: {error.message}",
        ) from error
    if not 1 <= len(object_data) <= MOST_OBJECTS:
        raise MalformedPackage(f"expected 1 to {MOST_OBJECTS} object files, got {len(object_data)}")
    for name in object_data:
        if not is_file_name(name) or name in _TITLES:
            raise MalformedPackage(
                f"expected a plain file name for an object file, got {one_line(name)!r}"
            )
    try:
        readme.decode()
    except UnicodeDecodeError as error:
        raise MalformedPackage(f"{README_TITLE} is not UTF-8 at byte {error.start}") from error
    if len(readme) > LARGEST_README:
        raise MalformedPackage(f"{README_TITLE}: expected at most {LARGEST_README} bytes")
    _check_sources(metadata, sources)

    layers = [_Layer(METADATA, METADATA_TITLE, metadata_toml)]
    layers += [_Layer(OBJECT, name, object_data[name]) for name in sorted(object_data)]
    layers.append(_Layer(REPORT, REPORT_TITLE, canonical_json(parse_table(report, REPORT_TITLE))))
    if readme:
        layers.append(_Layer(README, README_TITLE, readme))
    if sources:
        layers.append(_Layer(SOURCES, SOURCES_TITLE, write_archive(sources)))
    size = sum(len(layer.data) for layer in layers)
    if size > LARGEST_PACKAGE:
        raise MalformedPackage(f"expected at most {LARGEST_PACKAGE} bytes in all, got {size}")

    manifest = ImageManifest(
        config=EMPTY_DESCRIPTOR,
        layers=tuple(layer.descriptor for layer in layers),
        artifact_type=PACKAGE,
        annotations=MappingProxyType(annotations_of(metadata)),
    )
    data = manifest.to_bytes()
    descriptor = manifest.descriptor(data)
    blobs = {descriptor.digest: data, EMPTY_DESCRIPTOR.digest: EMPTY_CONTENT}
    blobs |= {layer.descriptor.digest: layer.data for layer in layers}
    return Package(metadata, descriptor, data, MappingProxyType(blobs))
