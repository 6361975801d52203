"""Blobs as files, laid out as an OCI image layout does: ``blobs/sha256/<digest>``.

What is coming in lies elsewhere, under ``uploads/``, and becomes a blob by one rename after its
digest was computed from what is on the disk; so a file under ``blobs`` is always whole.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from skep.digests import Digest, DigestMismatch
from skep.file_modes import make_directory, open_file
from skep.marketplace.registry.errors import (
    BlobUnknown,
    StoreUnavailable,
    TooLarge,
    UploadUnknown,
)

_UPLOAD_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_CHUNK = 1 << 20  # bytes


class BlobFiles:
    """A directory of blobs.

    Args:
        directory: made if it does not exist; must be on one file system.
    """

    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs"
        self._uploads = directory / "uploads"
        for path in (self._blobs / "sha256", self._blobs / "sha512", self._uploads):
            make_directory(path)

    def path(self, digest: Digest) -> Path | None:
        """Where the blob lies; ``None`` if it is not there."""
        path = self._path(digest)
        return path if path.is_file() else None

    def read(self, digest: Digest, limit_bytes: int) -> bytes:
        """A whole blob, hashed again.

        Raises:
            BlobUnknown: it is not there.
            TooLarge: it has more than ``limit_bytes``.
            DigestMismatch: the disk does not hold what it was given.
        """
        try:
            with self._path(digest).open("rb") as file:
                data = file.read(limit_bytes + 1)
        except FileNotFoundError as error:
            raise BlobUnknown(f"there is no blob {digest}") from error
        if len(data) > limit_bytes:
            raise TooLarge(f"expected {digest} to have at most {limit_bytes} bytes")
        return digest.check(data)

    def start(self, upload_id: str) -> None:
        """Begin an empty staged file.

        Raises:
            StoreUnavailable: the disk does not take it; also for the other writes.
        """
        try:
            os.close(open_file(self._upload_path(upload_id), os.O_WRONLY | os.O_EXCL))
        except OSError as error:
            raise _unavailable(error) from error

    def staged_size(self, upload_id: str) -> int | None:
        """Bytes so far, ``None`` if there is no such staged file."""
        try:
            return self._upload_path(upload_id).stat().st_size
        except (FileNotFoundError, UploadUnknown):
            return None

    def append(self, upload_id: str, data: bytes) -> int:
        """Add to a staged file; returns its new size."""
        try:
            # Not "ab": that would make a file that is not there.
            with self._upload_path(upload_id).open("r+b") as file:
                file.seek(0, os.SEEK_END)
                file.write(data)
                return file.tell()
        except FileNotFoundError as error:
            raise UploadUnknown("there is no such upload") from error
        except OSError as error:
            raise _unavailable(error) from error

    def commit(self, upload_id: str, digest: Digest) -> int:
        """Turn a staged file into a blob, at once and for good; returns its size.

        Raises:
            DigestMismatch: it is another one; the staged file stays.
            UploadUnknown: there is no such staged file.
        """
        staged, final = self._upload_path(upload_id), self._path(digest)
        try:
            with staged.open("r+b") as file:
                state = hashlib.new(digest.algorithm)
                while chunk := file.read(_CHUNK):
                    state.update(chunk)
                size = file.tell()
                if state.hexdigest() != digest.hexadecimal:
                    raise DigestMismatch(
                        f"expected content with digest {digest}, got"
                        f" {digest.algorithm}:{state.hexdigest()}",
                        hint="the content was changed or damaged on its way; push it again",
                    )
                os.fsync(file.fileno())
            staged.replace(final)
        except FileNotFoundError as error:
            raise UploadUnknown("there is no such upload") from error
        except OSError as error:
            raise _unavailable(error) from error
        # The rename is on the disk only once its directory is.
        directory = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return size

    def discard(self, upload_id: str) -> None:
        """Drop a staged file; dropping what is not there is nothing."""
        self._upload_path(upload_id).unlink(missing_ok=True)

    def delete(self, digest: Digest) -> None:
        """Drop a blob; dropping what is not there is nothing."""
        self._path(digest).unlink(missing_ok=True)

    def staged(self) -> Sequence[str]:
        """Ids of all staged files."""
        return sorted(path.name for path in self._uploads.iterdir())

    def _path(self, digest: Digest) -> Path:
        # A Digest is a known algorithm and hexadecimal digits, checked when it was parsed; but
        # values can be made without parsing, and this becomes a path.
        checked = Digest.parse(str(digest))
        return self._blobs / checked.algorithm / checked.hexadecimal

    def _upload_path(self, upload_id: str) -> Path:
        # (1) The id comes from a path in a URL: nothing but our own alphabet becomes a file name.
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise UploadUnknown("there is no such upload")
        return self._uploads / upload_id


def _unavailable(error: OSError) -> StoreUnavailable:
    # What it is called and where it lies is for the log, not for strangers.
    return StoreUnavailable(
        f"the marketplace cannot store it now: {error.strerror or type(error).__name__}",
        hint="try again later; its owner should look at the disk",
    )
