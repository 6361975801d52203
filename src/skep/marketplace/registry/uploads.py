"""Blobs coming in: begin, append, finish; nobody else can read them.

Whoever may push to a repository is whoever names a registered publisher; nothing pushed is
visible before it is published, and publishing needs the publisher's signature. So what a stranger
can do here is fill space, and all space has a limit and an end.
"""

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta

from skep.clock import Clock
from skep.digests import Digest
from skep.marketplace.registry.errors import (
    PublisherUnknown,
    RangeInvalid,
    TooLarge,
    TooMuchStaged,
    UploadUnknown,
)
from skep.marketplace.registry.names import check_repository
from skep.marketplace.registry.ports import UploadCatalogue
from skep.marketplace.registry.records import Upload
from skep.marketplace.registry.settings import Limits
from skep.packages.blobs import NoSuchUpload, UploadedBlobs

CHUNK_BYTES = 1 << 20  # held in memory at most, per request


def check_publisher(repository: str, publishers: Collection[str]) -> str:
    """Return ``repository`` if its publisher is registered here.

    Raises:
        NameInvalid: not ``publisher/name``.
        PublisherUnknown: nobody of this name may publish here.
    """
    publisher = check_repository(repository).partition("/")[0]
    if publisher not in publishers:
        raise PublisherUnknown(
            f"{publisher!r} is not a publisher of this marketplace",
            hint="its owner registers publishers with their public keys",
        )
    return repository


class Uploads:
    """The use case.

    Args:
        catalogue: what is known about uploads and blobs.
        blobs: the bytes.
        publishers: who may push.
        limits: how much.
        clock: for when uploads end.
        new_id: gives an unguessable name, safe as a file name.
    """

    def __init__(
        self,
        catalogue: UploadCatalogue,
        blobs: UploadedBlobs,
        publishers: Collection[str],
        limits: Limits,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._publishers = publishers
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        # Expiry must not delete a blob between the moment its file is there and the moment the
        # catalogue knows it, and two chunks of one upload must not interleave.
        self._lock = threading.Lock()

    def begin(self, repository: str) -> Upload:
        """Begin an upload.

        Raises:
            PublisherUnknown: nobody of this name may publish here.
            TooMuchStaged: too many uploads, or too many bytes, wait to be published.
        """
        check_publisher(repository, self._publishers)
        self.expire()
        if (
            self._catalogue.open_uploads() >= self._limits.open_uploads
            or self._catalogue.staged_bytes() >= self._limits.staged_bytes
        ):
            raise TooMuchStaged(
                "too much is being pushed to this marketplace at the moment",
                hint="publish what was pushed, or try again later",
            )
        upload = Upload(self._new_id(), repository, self._clock())
        self._blobs.start(upload.upload_id)
        self._catalogue.add_upload(upload)
        return upload

    def offset(self, repository: str, upload_id: str) -> int:
        """Bytes received so far.

        Raises:
            UploadUnknown: there is no such upload in this repository.
        """
        upload = self._catalogue.upload(repository, upload_id)
        size = self._blobs.uploaded_bytes(upload_id) if upload else None
        if upload is None or size is None or upload.started_at < self._oldest_upload():
            raise UploadUnknown(
                "there is no such upload: it ended, was cancelled, or took too long",
                hint="begin again",
            )
        return size

    def append(self, repository: str, upload_id: str, offset: int, data: bytes) -> int:
        """Add a chunk; returns the new offset.

        Args:
            repository: of the upload.
            upload_id: of the upload.
            offset: where the chunk belongs; must be where the last one ended.
            data: at most :data:`CHUNK_BYTES`.

        Raises:
            UploadUnknown: there is no such upload in this repository.
            RangeInvalid: the chunk belongs elsewhere; nothing is changed.
            TooLarge: the blob has more bytes than are taken here; the upload is over.
        """
        with self._lock:
            current = self.offset(repository, upload_id)
            if offset != current:
                raise RangeInvalid(
                    f"expected a chunk that begins at byte {current}, got one at {offset}"
                )
            if current + len(data) > self._limits.blob_bytes:
                self._drop(upload_id)
                raise TooLarge(f"expected a blob of at most {self._limits.blob_bytes} bytes")
            return self._blobs.append(upload_id, data)

    def finish(self, repository: str, upload_id: str, digest: Digest) -> int:
        """Make the upload a staged blob; returns its size. The upload is over in any case.

        Raises:
            UploadUnknown: there is no such upload in this repository.
            DigestMismatch: what came is something else.
        """
        with self._lock:
            self.offset(repository, upload_id)
            try:
                size = self._blobs.commit(upload_id, digest)
                self._catalogue.stage_blob(repository, digest, size, self._clock())
            finally:
                self._drop(upload_id)
            return size

    def cancel(self, repository: str, upload_id: str) -> None:
        """End an upload without a blob.

        Raises:
            UploadUnknown: there is no such upload in this repository.
        """
        with self._lock:
            self.offset(repository, upload_id)
            self._drop(upload_id)

    def mount(self, repository: str, digest: Digest, size: int) -> None:
        """Take a blob over from where it is published; the caller has seen that it is.

        Raises:
            PublisherUnknown: nobody of this name may publish here.
        """
        check_publisher(repository, self._publishers)
        with self._lock:
            self._catalogue.stage_blob(repository, digest, size, self._clock())

    def expire(self) -> None:
        """Drop uploads that take too long and what was pushed but never published."""
        with self._lock:
            for upload_id in self._catalogue.uploads_before(self._oldest_upload()):
                self._drop(upload_id)
            staged_before = self._clock() - timedelta(seconds=self._limits.staged_seconds)
            for digest in self._catalogue.expire_staged(staged_before):
                self._blobs.remove(digest)

    def forget_strays(self) -> None:
        """Drop what came in for no known upload: a crash left it. Once, at start."""
        known = set(self._catalogue.uploads_before(self._clock() + timedelta(days=1)))
        for upload_id in self._blobs.uploads():
            if upload_id not in known:
                with suppress(NoSuchUpload):  # nothing of ours has such a name
                    self._blobs.discard(upload_id)

    def abandon(self, repository: str, upload_id: str) -> None:
        """Cancel, if it is still there: for callers that failed half-way."""
        with suppress(UploadUnknown):
            self.cancel(repository, upload_id)

    def _oldest_upload(self) -> datetime:
        return self._clock() - timedelta(seconds=self._limits.upload_seconds)

    def _drop(self, upload_id: str) -> None:
        self._blobs.discard(upload_id)
        self._catalogue.remove_upload(upload_id)
