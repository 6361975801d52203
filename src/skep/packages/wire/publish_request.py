"""``POST /api/v1/packages/<publisher>/<name>/versions``: what is to be published."""

from dataclasses import dataclass

from skep.digests import Digest
from skep.json_documents import JsonValue, canonical_json, parse_json, schema_id

SCHEMA = schema_id("publish-request")


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """Asks that a pushed package becomes visible.

    Attributes:
        digest: of its manifest.
    """

    digest: Digest

    def to_bytes(self) -> bytes:
        """The document."""
        return canonical_json({"schema": SCHEMA, "digest": str(self.digest)})


def read_publish_request(data: bytes) -> PublishRequest:
    """Read a request; one without a schema comes from an older client.

    Raises:
        MalformedDocument: it is not strict JSON, or of another schema.
        MalformedDigest: what it names is no digest.
    """
    document = JsonValue(parse_json(data, "request"), "request")
    if "schema" in document and document["schema"].value != SCHEMA:
        raise document["schema"].wrong(SCHEMA)
    return PublishRequest(Digest.parse(document["digest"].text()))
