"""Blobs in memory: the other form of the port, and what may happen to them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from skep.digests import Digest
from skep.packages.blobs import (
    CHUNK_BYTES,
    BlobsUnavailable,
    NoSuchBlob,
    NoSuchUpload,
    check_upload_id,
    hashed,
    read_whole,
    wrong_upload,
)


class MemoryBlobs:
    """Implements the ``UploadedBlobs`` port; what it holds can be damaged."""

    def __init__(self) -> None:
        self.content: dict[Digest, bytes] = {}
        self.incoming: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def size(self, digest: Digest) -> int | None:
        data = self.content.get(_checked(digest))
        return None if data is None else len(data)

    @contextmanager
    def open(self, digest: Digest) -> Iterator[Iterator[bytes]]:
        data = self.content.get(_checked(digest))
        if data is None:
            raise NoSuchBlob(f"there is no blob {digest}")
        pieces = (data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))
        yield hashed(pieces, digest)

    def read(self, digest: Digest, limit_bytes: int) -> bytes:
        return read_whole(self, digest, limit_bytes)

    def put(self, data: bytes) -> Digest:
        digest = Digest.of(data)
        self.content[digest] = bytes(data)
        return digest

    def remove(self, digest: Digest) -> None:
        self.content.pop(_checked(digest), None)

    def digests(self) -> Iterator[Digest]:
        yield from sorted(self.content)

    def start(self, upload_id: str) -> None:
        with self._lock:
            if check_upload_id(upload_id) in self.incoming:
                raise BlobsUnavailable("content cannot be written now: File exists")
            self.incoming[upload_id] = b""

    def uploaded_bytes(self, upload_id: str) -> int | None:
        data = self.incoming.get(upload_id)
        return None if data is None else len(data)

    def append(self, upload_id: str, data: bytes) -> int:
        with self._lock:
            self.incoming[upload_id] = self._upload(upload_id) + data
            return len(self.incoming[upload_id])

    def commit(self, upload_id: str, digest: Digest) -> int:
        with self._lock:
            data = self._upload(upload_id)
            got = Digest.of(data, _checked(digest).algorithm)
            if got != digest:
                raise wrong_upload(digest, got)
            self.content[digest] = self.incoming.pop(upload_id)
            return len(data)

    def discard(self, upload_id: str) -> None:
        self.incoming.pop(check_upload_id(upload_id), None)

    def uploads(self) -> Sequence[str]:
        return sorted(self.incoming)

    def _upload(self, upload_id: str) -> bytes:
        try:
            return self.incoming[check_upload_id(upload_id)]
        except KeyError as error:
            raise NoSuchUpload("there is no such upload") from error


def _checked(digest: Digest) -> Digest:
    return Digest.parse(str(digest))
