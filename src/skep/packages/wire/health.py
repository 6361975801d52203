"""``GET /healthz``: the server answers."""

from skep.json_documents import schema_id

SCHEMA = schema_id("health")


def health_document() -> dict[str, object]:
    """As JSON; a server that is not well does not answer so."""
    return {"schema": SCHEMA, "status": "ok"}
