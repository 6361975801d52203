"""Descriptors: what content is, how large, and its digest.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from skep.digests import Digest, DigestMismatch, MalformedDigest
from skep.packages.fields import Fields
from skep.packages.oci.media_types import EMPTY

# RFC 6838 section 4.2: type and subtype, each with at most 127 characters.
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}")
LARGEST_SIZE = 2**53 - 1  # what every JSON implementation can hold

NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})


def is_media_type(text: str) -> bool:
    """Whether ``text`` is a media type without parameters."""
    return _MEDIA_TYPE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Names content; says nothing about where it is.

    Attributes:
        media_type: of the content.
        digest: of the content.
        size: bytes.
        annotations: free text by name.
        artifact_type: of the manifest this names; empty if not given.
    """

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=lambda: NO_ANNOTATIONS, hash=False)
    artifact_type: str = ""

    @classmethod
    def of(
        cls, data: bytes, media_type: str, annotations: Mapping[str, str] = NO_ANNOTATIONS
    ) -> "Descriptor":
        """Describe ``data``."""
        return cls(media_type, Digest.of(data), len(data), MappingProxyType(dict(annotations)))

    def check(self, data: bytes) -> bytes:
        """Return ``data`` if it is what this descriptor names.

        Raises:
            DigestMismatch: if size or digest differ.
        """
        if len(data) != self.size:
            raise DigestMismatch(
                f"expected {self.size} bytes for {self.digest}, got {len(data)}",
                hint="the content was changed or damaged on its way; fetch it again",
            )
        return self.digest.check(data)

    def to_document(self) -> dict[str, object]:
        """As JSON."""
        document: dict[str, object] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        return document


EMPTY_CONTENT = b"{}"
EMPTY_DESCRIPTOR = Descriptor.of(EMPTY_CONTENT, EMPTY)
_PLACEHOLDER = Digest("sha256", "0" * 64)


def _is_digest(text: str) -> bool:
    try:
        Digest.parse(text)
    except MalformedDigest:
        return False
    return True


def read_descriptor(fields: Fields) -> Descriptor:
    """Read a descriptor; problems are noted in ``fields``.

    ``urls`` and ``data`` are not looked at: content comes from where we ask for it.
    """
    media_type = fields.text("mediaType", "a media type", is_media_type)
    artifact_type = fields.text("artifactType", "a media type", is_media_type, required=False)
    text = fields.text("digest", "sha256:<64 hexadecimal digits>", _is_digest)
    digest = Digest.parse(text) if text else _PLACEHOLDER
    size = fields.integer("size", "a number of bytes", 0, LARGEST_SIZE)
    annotations = fields.text_mapping("annotations")
    return Descriptor(media_type, digest, size or 0, MappingProxyType(annotations), artifact_type)
