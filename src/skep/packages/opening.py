"""Opening a package: bytes of strangers become values, or nothing does.

Checks, in this order; each is the answer to something a registry or a publisher could try:

1. the manifest is one strict JSON document of at most 4 MiB, and no index;
2. it is a package: our ``artifactType``, the empty config, no subject;
3. its layers together declare at most 32 MiB, before any of them is fetched;
4. every layer is of a kind we know, and there are as many of each kind as there must be;
5. every title is a plain file name, what it must be for its kind, and there once;
6. every blob, the config included, has the declared size and digest, computed from its bytes;
7. metadata, report and README are what they claim to be;
8. the annotations, which listings show, say what the metadata says;
9. the sources unpack into safe, different, regular files (:mod:`skep.packages.source_archive`).
"""

from collections.abc import Callable
from types import MappingProxyType

from skep.digests import Digest
from skep.json_documents import parse_table
from skep.packages.content import (
    LARGEST_PACKAGE,
    LARGEST_README,
    METADATA_TITLE,
    MOST_OBJECTS,
    README_TITLE,
    REPORT_TITLE,
    SOURCES_TITLE,
    PackageContent,
    annotations_of,
)
from skep.packages.errors import MalformedPackage, UnsupportedPackage
from skep.packages.metadata import PackageMetadata, parse_metadata
from skep.packages.names import is_file_name, one_line
from skep.packages.oci.descriptors import EMPTY_DESCRIPTOR, Descriptor
from skep.packages.oci.manifests import ImageManifest, parse_manifest
from skep.packages.oci.media_types import METADATA, OBJECT, PACKAGE, README, REPORT, SOURCES, TITLE
from skep.packages.source_archive import read_archive

# Kind of layer: fewest, most, and the title it must have (empty: its own).
_KINDS = {
    METADATA: (1, 1, METADATA_TITLE),
    OBJECT: (1, MOST_OBJECTS, ""),
    REPORT: (1, 1, REPORT_TITLE),
    README: (0, 1, README_TITLE),
    SOURCES: (0, 1, SOURCES_TITLE),
}


def read_metadata(manifest: bytes, blob: Callable[[Digest], bytes]) -> PackageMetadata:
    """The metadata of a package, the rest of which is not looked at.

    Args:
        manifest: of the package, hashed.
        blob: gives content by digest, hashed.

    Raises:
        MalformedDocument, MalformedPackage, UnsupportedPackage, MalformedMetadata: it has none.
    """
    (layer,) = (
        each for each in parse_package_manifest(manifest).layers if each.media_type == METADATA
    )
    return parse_metadata(layer.check(blob(layer.digest)))


def parse_package_manifest(data: bytes) -> ImageManifest:
    """Read a package's manifest, the checks 1 to 5; nothing it names is looked at.

    Raises:
        MalformedDocument: it is no image manifest.
        MalformedPackage: it is no package, or its layers are not as they must be.
        UnsupportedPackage: it has layers of a kind this version does not know.
    """
    # (1)
    manifest = parse_manifest(data, "package manifest")
    # (2)
    if manifest.artifact_type != PACKAGE:
        raise MalformedPackage(
            f"expected a package ({PACKAGE}), got {manifest.kind}",
            hint="packages of other tools are imported with skep import",
        )
    config = manifest.config
    if (config.media_type, config.digest, config.size) != (
        EMPTY_DESCRIPTOR.media_type,
        EMPTY_DESCRIPTOR.digest,
        EMPTY_DESCRIPTOR.size,
    ):
        raise MalformedPackage("package manifest: expected the empty config")
    if manifest.subject is not None:
        raise MalformedPackage("package manifest: a package has no subject")
    # (3)
    size = sum(layer.size for layer in manifest.layers)
    if size > LARGEST_PACKAGE:
        raise MalformedPackage(
            f"package manifest: expected layers of at most {LARGEST_PACKAGE} bytes, got {size}"
        )
    # (4)
    for layer in manifest.layers:
        if layer.media_type not in _KINDS:
            raise UnsupportedPackage(
                f"package manifest: there is a layer {one_line(layer.media_type, 100)}",
                hint="the package may need a newer version of Skep",
            )
    for kind, (fewest, most, _) in _KINDS.items():
        count = sum(layer.media_type == kind for layer in manifest.layers)
        if not fewest <= count <= most:
            raise MalformedPackage(
                f"package manifest: expected {fewest} to {most} layers {kind}, got {count}"
            )
    # (5)
    titles = [layer.annotations.get(TITLE, "") for layer in manifest.layers]
    for layer, title in zip(manifest.layers, titles, strict=True):
        expected = _KINDS[layer.media_type][2] or title
        if title != expected or not is_file_name(title):
            raise MalformedPackage(
                f"package manifest: {one_line(title)!r} is no title for {layer.media_type}"
            )
    if len(set(titles)) != len(titles):
        raise MalformedPackage("package manifest: two layers have one title")
    return manifest


def open_package(manifest: bytes, blob: Callable[[Digest], bytes]) -> PackageContent:
    """Open a package; the caller compares the manifest's digest with the one it wanted.

    Args:
        manifest: the manifest's bytes.
        blob: gives the content of a digest; what it gives is hashed here again.

    Raises:
        MalformedDocument, MalformedPackage, MalformedMetadata: it is no valid package.
        UnsupportedPackage: it is a package of a later format.
        DigestMismatch: a blob is not what the manifest names.
    """
    parsed = parse_package_manifest(manifest)

    def fetch(layer: Descriptor) -> bytes:
        return layer.check(blob(layer.digest))  # (6)

    fetch(parsed.config)  # nothing reads it, but who mirrors the package passes it on
    of_kind = {
        kind: [fetch(layer) for layer in parsed.layers if layer.media_type == kind]
        for kind in _KINDS
        if kind != OBJECT
    }
    (metadata_toml,), (report,) = of_kind[METADATA], of_kind[REPORT]
    readme = b"".join(of_kind[README])
    # (7)
    metadata = parse_metadata(metadata_toml)
    parse_table(report, REPORT_TITLE)
    if len(readme) > LARGEST_README:
        raise MalformedPackage(f"{README_TITLE}: expected at most {LARGEST_README} bytes")
    try:
        readme.decode()
    except UnicodeDecodeError as error:
        raise MalformedPackage(f"{README_TITLE} is not UTF-8 at byte {error.start}") from error
    # (8)
    for name, expected in annotations_of(metadata).items():
        annotated = parsed.annotations.get(name, "")
        if annotated != expected:
            raise MalformedPackage(
                f"package manifest: {name} says {one_line(annotated, 60)!r},"
                f" the metadata {expected!r}"
            )
    # (9)
    sources = read_archive(of_kind[SOURCES][0]) if of_kind[SOURCES] else {}
    return PackageContent(
        metadata=metadata,
        manifest=parsed.descriptor(manifest),
        metadata_toml=metadata_toml,
        objects=MappingProxyType(
            {
                layer.annotations[TITLE]: fetch(layer)
                for layer in parsed.layers
                if layer.media_type == OBJECT
            }
        ),
        report=report,
        readme=readme,
        sources=MappingProxyType(sources),
    )
