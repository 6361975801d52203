"""A marketplace over blobs that are no files: they are sent piece by piece."""

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.builders.trust import NOW
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.catalogue import FakeCatalogue

from skep.digests import Digest, DigestMismatch
from skep.marketplace.registry.http.application import application
from skep.marketplace.registry.settings import Limits
from skep.marketplace.registry.wiring import build_use_cases
from skep.packages.blobs import CHUNK_BYTES

NAME = "acme/counting"
DATA = b"a piece of it " * (CHUNK_BYTES // 6)  # more than two pieces
DIGEST = Digest.of(DATA)


class AllPublished(FakeCatalogue):
    def published_blob(self, repository: str, digest: Digest) -> int | None:
        return self.blob_size(repository, digest)


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)


class Marketplace:
    def __init__(self) -> None:
        self.blobs = MemoryBlobs()
        limits = Limits(blob_bytes=2 * len(DATA), staged_bytes=9 * len(DATA))
        publishers: dict[str, Any] = {"acme": ()}
        cases = build_use_cases(AllPublished(), self.blobs, publishers, limits, lambda: NOW)
        self.application = application(cases, lambda _: nullcontext())
        self.answer = Answer()

    def __call__(self, method: str, path: str, query: str = "", body: bytes = b"") -> Answer:
        self.answer = Answer()
        asyncio.run(self._call(method, path, query, body))
        return self.answer

    async def _call(self, method: str, path: str, query: str, body: bytes) -> None:
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [],
        }

        waiting = [body]

        async def receive() -> dict[str, object]:
            if not waiting:
                await asyncio.Event().wait()  # the client stays until it has its answer
            return {"type": "http.request", "body": waiting.pop()}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.answer.status = message["status"]
                headers = message["headers"]
                self.answer.headers = {key.decode(): value.decode() for key, value in headers}
            else:
                self.answer.pieces.append(message.get("body", b""))

        await self.application(scope, receive, send)


@pytest.fixture
def marketplace() -> Marketplace:
    made = Marketplace()
    pushed = made("POST", f"/v2/{NAME}/blobs/uploads/", f"digest={DIGEST}", DATA)
    assert pushed.status == 201
    return made


def test_what_was_pushed_is_sent_piece_by_piece(marketplace: Marketplace) -> None:
    answer = marketplace("GET", f"/v2/{NAME}/blobs/{DIGEST}")
    assert answer.status == 200
    assert b"".join(answer.pieces) == DATA
    assert max(len(piece) for piece in answer.pieces) <= CHUNK_BYTES
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["docker-content-digest"] == str(DIGEST)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_has_the_same_headers_and_nothing_else(marketplace: Marketplace) -> None:
    got = marketplace("GET", f"/v2/{NAME}/blobs/{DIGEST}")
    head = marketplace("HEAD", f"/v2/{NAME}/blobs/{DIGEST}")
    assert (head.status, head.headers) == (200, got.headers)
    assert b"".join(head.pieces) == b""


def test_a_lost_blob_is_unknown(marketplace: Marketplace) -> None:
    marketplace.blobs.remove(DIGEST)
    answer = marketplace("GET", f"/v2/{NAME}/blobs/{DIGEST}")
    assert answer.status == 404
    assert b"BLOB_UNKNOWN" in answer.pieces[0]


def test_a_damaged_blob_is_never_sent_whole(marketplace: Marketplace) -> None:
    marketplace.blobs.content[DIGEST] = DATA[:-1] + b"!"
    with pytest.raises(RuntimeError) as raised:  # the server cuts the connection
        marketplace("GET", f"/v2/{NAME}/blobs/{DIGEST}")
    assert isinstance(raised.value.__cause__, DigestMismatch)
    assert len(b"".join(marketplace.answer.pieces)) < len(DATA)
