"""Keys as people and programs see them: own ones, and those that are trusted."""

from collections.abc import Iterator, Mapping, Sequence

from skep.clock import rfc3339
from skep.json_documents import schema_id
from skep.node.verified.trust_store import TrustedKey


def key_document(own: Mapping[str, str], trusted: Sequence[TrustedKey]) -> dict[str, object]:
    """The document of ``skep keys list --json``; ``own`` has fingerprints by name."""
    return {
        "schema": schema_id("keys-list"),
        "own": [{"name": name, "fingerprint": text} for name, text in own.items()],
        "trusted": [
            {
                "publisher": one.publisher,
                "fingerprint": one.key.fingerprint,
                "since": rfc3339(one.since),
                "origin": one.origin,
            }
            for one in trusted
        ],
    }


def key_lines(own: Mapping[str, str], trusted: Sequence[TrustedKey]) -> Iterator[str]:
    """Names at the left edge, each with its fingerprint on a line of its own."""
    for name, fingerprint in own.items():
        yield f"own key {name}"
        yield f"  {fingerprint}"
    for one in trusted:
        yield f"trusted for {one.publisher} {history(one)}"
        yield f"  {one.key.fingerprint}"
    if not own and not trusted:
        yield "no keys yet"


def history(key: TrustedKey) -> str:
    """Since when a key is trusted, and where it came from."""
    origin = f", from {key.origin}" if key.origin else ""
    return f"since {key.since:%Y-%m-%d}{origin}"
