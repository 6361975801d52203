"""``GET /api/v1/publishers/<name>``: a publisher with the keys a marketplace accepts for it."""

from dataclasses import dataclass

from skep.json_documents import schema_id
from skep.packages.fields import Fields
from skep.packages.names import is_publisher_name
from skep.packages.wire.reading import check_schema

SCHEMA = schema_id("publisher")
_FORMER = "skep.publisher/v1"
LARGEST_PUBLISHER = 256 * 1024  # bytes
_MOST_KEYS = 64
_LONGEST_PEM = 4096  # characters; a public key has 178
_LONGEST_FINGERPRINT = 100  # characters


@dataclass(frozen=True, slots=True)
class OfferedKey:
    """A key as a marketplace gives it.

    Attributes:
        fingerprint: as the marketplace says, for people; programs compute it.
        pem: text.
    """

    fingerprint: str
    pem: str


@dataclass(frozen=True, slots=True)
class PublisherListing:
    """A publisher as a marketplace presents it: claims.

    Attributes:
        name: the part of a package name before the slash.
        keys: at least one.
    """

    name: str
    keys: tuple[OfferedKey, ...]

    def to_document(self) -> dict[str, object]:
        """As JSON."""
        keys = [{"fingerprint": key.fingerprint, "pem": key.pem} for key in self.keys]
        return {"schema": SCHEMA, "name": self.name, "keys": keys}


def read_publisher_listing(fields: Fields, name: str) -> PublisherListing:
    """Read an answer about the publisher ``name``; problems are noted in ``fields``.

    1. It is about this publisher.
    2. It has at least one key and at most 64, each a bounded text.
    """
    check_schema(fields, SCHEMA, _FORMER)
    # (1)
    if fields.text("name", "the publisher's name", is_publisher_name) != name:
        fields.problem("name", f"expected {name}")
    # (2)
    keys = tuple(
        OfferedKey(
            key.text(
                "fingerprint", "a fingerprint", lambda text: len(text) <= _LONGEST_FINGERPRINT
            ),
            key.text("pem", "a PEM", lambda text: len(text) <= _LONGEST_PEM),
        )
        for key in fields.tables("keys", _MOST_KEYS)
    )
    if not keys:
        fields.problem("keys", "expected at least one")
    return PublisherListing(name, keys)
