"""Image manifests, which carry artifacts, and image indexes, which list manifests.

Sources: https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md and
https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from skep.json_documents import MalformedDocument, canonical_json, parse_table
from skep.packages.fields import Fields
from skep.packages.oci.descriptors import (
    NO_ANNOTATIONS,
    Descriptor,
    is_media_type,
    read_descriptor,
)
from skep.packages.oci.media_types import INDEX, MANIFEST

MOST_LAYERS = 1000
MOST_MANIFESTS = 10_000


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """An image manifest.

    Attributes:
        config: descriptor of the configuration; the empty one for artifacts.
        layers: the content.
        artifact_type: as written; empty if absent, see :attr:`kind`.
        subject: the manifest this one is about, which makes it a referrer.
        annotations: free text by name.
    """

    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=lambda: NO_ANNOTATIONS, hash=False)

    @property
    def kind(self) -> str:
        """What a referrers answer calls ``artifactType``: it, or the config's media type."""
        return self.artifact_type or self.config.media_type

    def to_bytes(self) -> bytes:
        """The canonical document."""
        document: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.to_document(),
            "layers": [layer.to_document() for layer in self.layers],
        }
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        if self.subject is not None:
            document["subject"] = self.subject.to_document()
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return canonical_json(document)

    def descriptor(self, data: bytes) -> Descriptor:
        """Descriptor of this manifest, whose bytes are ``data``."""
        named = Descriptor.of(data, MANIFEST, self.annotations)
        return Descriptor(named.media_type, named.digest, named.size, named.annotations, self.kind)


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """An image index: a list of manifests.

    Attributes:
        manifests: what it lists.
        annotations: free text by name.
    """

    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=lambda: NO_ANNOTATIONS, hash=False)

    def to_bytes(self) -> bytes:
        """The canonical document."""
        document: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [manifest.to_document() for manifest in self.manifests],
        }
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return canonical_json(document)


def _open(data: bytes, what: str, media_type: str, foreign: tuple[str, ...]) -> Fields:
    table = parse_table(data, what)
    # A document that is a manifest to one reader and an index to another has two meanings under
    # one digest (CVE-2021-41190); the media type inside decides, and foreign fields are refused.
    for key in foreign:
        if key in table:
            raise MalformedDocument(f"{what}: expected {media_type}, but it has {key!r}")
    fields = Fields(table)
    fields.integer("schemaVersion", "2", 2, 2)
    fields.text("mediaType", media_type, lambda text: text == media_type, required=False)
    return fields


def _raise_problems(fields: Fields, what: str) -> None:
    if fields.problems:
        raise MalformedDocument(f"{what}: {fields.problems[0]}", detail="\n".join(fields.problems))


def parse_manifest(data: bytes, what: str = "image manifest") -> ImageManifest:
    """Parse an image manifest; ``what`` names it in messages.

    Raises:
        MalformedDocument: all problems in ``detail``.
    """
    fields = _open(data, what, MANIFEST, ("manifests", "fsLayers", "signatures"))
    config = read_descriptor(fields.table("config", required=True))
    if "layers" not in fields:
        fields.problem("layers", "expected a list of tables, but it is missing")
    layers = tuple(read_descriptor(item) for item in fields.tables("layers", MOST_LAYERS))
    subject = read_descriptor(fields.table("subject")) if "subject" in fields else None
    manifest = ImageManifest(
        config,
        layers,
        fields.text("artifactType", "a media type", is_media_type, required=False),
        subject,
        MappingProxyType(fields.text_mapping("annotations")),
    )
    _raise_problems(fields, what)
    return manifest


def parse_index(data: bytes, what: str = "image index") -> ImageIndex:
    """Parse an image index; ``what`` names it in messages.

    Raises:
        MalformedDocument: all problems in ``detail``.
    """
    fields = _open(data, what, INDEX, ("layers", "config", "fsLayers"))
    if "manifests" not in fields:
        fields.problem("manifests", "expected a list of tables, but it is missing")
    manifests = tuple(read_descriptor(item) for item in fields.tables("manifests", MOST_MANIFESTS))
    index = ImageIndex(manifests, MappingProxyType(fields.text_mapping("annotations")))
    _raise_problems(fields, what)
    return index
