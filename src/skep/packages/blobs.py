"""The port of blobs: content by digest, wherever it lies.

Nothing here is a path. One form of it is a directory (:mod:`skep.packages.local.blob_directory`),
another a fake in memory; ``tests/contract/test_blobs.py`` holds both, and is what a form over an
object store has to pass. What every form promises:

1. what is read was hashed: of content that is not what its digest says, the last piece is never
   given;
2. a blob is there whole or not at all, whoever writes or dies in the meantime;
3. a reader that has begun reads to the end, also if the blob is removed or written again;
4. an upload outlives the process that began it, and is no blob before it is committed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from skep.digests import Digest, DigestMismatch
from skep.errors import Malformed, NotFound, Unavailable

CHUNK_BYTES = 1 << 20
_UPLOAD_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


class NoSuchBlob(NotFound):
    """There is no content with this digest."""


class NoSuchUpload(NotFound):
    """There is no upload with this id; it ended, or nothing could have it."""


class BlobTooLarge(Malformed):
    """A blob has more bytes than whoever reads it takes."""


class BlobsUnavailable(Unavailable):
    """Blobs cannot be read or written now: a full disk, a broken one, no permission.

    The cause is what the form was told; the message says nothing of where blobs lie.
    """


class BlobReader(Protocol):
    """Reading."""

    def size(self, digest: Digest) -> int | None:
        """Bytes of a blob, not hashed; ``None`` if it is not there."""
        ...

    def open(self, digest: Digest) -> AbstractContextManager[Iterator[bytes]]:
        """A blob in pieces of at most :data:`CHUNK_BYTES`, hashed while they are read.

        Raises:
            NoSuchBlob: it is not there; when entering.
            DigestMismatch: in place of the last piece: it was damaged or changed.
            Malformed: what is there is no blob.
            BlobsUnavailable: it cannot be read now.
        """
        ...

    def read(self, digest: Digest, limit_bytes: int) -> bytes:
        """A whole blob, hashed.

        Raises:
            BlobTooLarge: it has more than ``limit_bytes``; no more than that is read.
            SkepError: as :meth:`open`.
        """
        ...


class Blobs(BlobReader, Protocol):
    """Reading, and writing what fits into memory."""

    def put(self, data: bytes) -> Digest:
        """Keep a blob, for good once this returns; what is there stays, unless it is damaged.

        Raises:
            BlobsUnavailable: it cannot be written now; nothing half written stays.
        """
        ...

    def remove(self, digest: Digest) -> None:
        """Remove a blob; removing what is not there is nothing."""
        ...

    def digests(self) -> Iterator[Digest]:
        """Digests of all blobs, ascending; nothing is hashed."""
        ...


class UploadedBlobs(Blobs, Protocol):
    """The same, and blobs that come in piece by piece."""

    def start(self, upload_id: str) -> None:
        """Begin an empty upload.

        Args:
            upload_id: 16-64 letters, digits, ``-`` and ``_``.

        Raises:
            NoSuchUpload: nothing can have this id.
            BlobsUnavailable: there is one already, or it cannot be written now.
        """
        ...

    def uploaded_bytes(self, upload_id: str) -> int | None:
        """Bytes so far; ``None`` if there is no such upload."""
        ...

    def append(self, upload_id: str, data: bytes) -> int:
        """Add to an upload; returns its new size.

        Raises:
            NoSuchUpload: there is none.
            BlobsUnavailable: it cannot be written now.
        """
        ...

    def commit(self, upload_id: str, digest: Digest) -> int:
        """Turn an upload into a blob, at once and for good; returns its size.

        Raises:
            NoSuchUpload: there is none.
            DigestMismatch: it is another one; the upload stays.
            BlobsUnavailable: it cannot be written now.
        """
        ...

    def discard(self, upload_id: str) -> None:
        """End an upload without a blob; ending what is not there is nothing.

        Raises:
            NoSuchUpload: nothing can have this id.
        """
        ...

    def uploads(self) -> Sequence[str]:
        """Ids of all uploads, ascending."""
        ...


def hashed(chunks: Iterable[bytes], digest: Digest) -> Iterator[bytes]:
    """Pass pieces on, the last one only when all of them are what ``digest`` says.

    Raises:
        DigestMismatch: they are not.
    """
    held: bytes | None = None
    for chunk in digest.checking(chunks):
        if held is not None:
            yield held
        held = chunk
    if held is not None:
        yield held


def read_whole(blobs: BlobReader, digest: Digest, limit_bytes: int) -> bytes:
    """What :meth:`BlobReader.read` gives, for forms that have nothing faster."""
    pieces = []
    size = 0
    with blobs.open(digest) as chunks:
        for chunk in chunks:
            size += len(chunk)
            if size > limit_bytes:
                raise BlobTooLarge(f"expected {digest} to have at most {limit_bytes} bytes")
            pieces.append(chunk)
    return b"".join(pieces)


def check_upload_id(upload_id: str) -> str:
    """The id, if an upload can have it: it comes from a URL, and may become a name elsewhere.

    Raises:
        NoSuchUpload: none can.
    """
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise NoSuchUpload("there is no such upload")
    return upload_id


def wrong_upload(digest: Digest, got: Digest) -> DigestMismatch:
    """The error for an upload that is something else."""
    return DigestMismatch(
        f"expected content with digest {digest}, got {got}",
        hint="the content was changed or damaged on its way; push it again",
    )
