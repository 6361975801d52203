"""Blobs in a directory, as an OCI image layout has them: ``blobs/sha256/<hexadecimal>``.

What is coming in lies elsewhere, under ``uploads/``, and becomes a blob by one rename after its
digest was computed from what is on the disk; so a file under ``blobs`` is always whole.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from skep.digests import Digest, DigestMismatch, MalformedDigest
from skep.errors import Malformed
from skep.file_modes import (
    PRIVATE_DIRECTORY,
    PRIVATE_FILE,
    make_directory,
    open_file,
    replace_file,
    sync_directory,
)
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
from skep.packages.local.files import INCOMING, open_regular


class BlobDirectory:
    """Implements the ``UploadedBlobs`` port.

    Nothing is touched before the first write.

    Args:
        root: must be there when something is written, on one file system.
        directory_mode: of the directories that are made in it.
        file_mode: of blobs.
    """

    def __init__(
        self,
        root: Path,
        *,
        directory_mode: int = PRIVATE_DIRECTORY,
        file_mode: int = PRIVATE_FILE,
    ) -> None:
        self._root = root
        self._blobs = root / "blobs"
        self._uploads = root / "uploads"
        self._directory_mode = directory_mode
        self._file_mode = file_mode

    def path(self, digest: Digest) -> Path:
        """Where the blob lies, or would: what only this form has, see ADR 13.

        Raises:
            MalformedDigest: the digest is none.
        """
        # A Digest is a known algorithm and hexadecimal digits, checked when it was parsed; but
        # values can be made without parsing, and this becomes a path.
        checked = Digest.parse(str(digest))
        return self._blobs / checked.algorithm / checked.hexadecimal

    # Reading

    def size(self, digest: Digest) -> int | None:
        """See the port."""
        try:
            facts = self.path(digest).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unavailable("read", error) from error
        return facts.st_size if stat.S_ISREG(facts.st_mode) else None

    @contextmanager
    def open(self, digest: Digest) -> Iterator[Iterator[bytes]]:
        """See the port; nothing strange is opened, see :func:`open_regular`."""
        try:
            file = open_regular(self.path(digest))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NoSuchBlob(f"there is no blob {digest}") from error
        except OSError as error:
            raise _unavailable("read", error) from error
        with file:
            yield hashed(_chunks(file), digest)

    def read(self, digest: Digest, limit_bytes: int) -> bytes:
        """See the port."""
        return read_whole(self, digest, limit_bytes)

    def digests(self) -> Iterator[Digest]:
        """See the port; files that no digest names are none of ours."""
        try:
            found = [f"{path.parent.name}:{path.name}" for path in self._blobs.glob("*/*")]
        except OSError as error:
            raise _unavailable("read", error) from error
        for name in sorted(found):
            try:
                yield Digest.parse(name)
            except MalformedDigest:
                continue

    # Writing

    def put(self, data: bytes) -> Digest:
        """See the port."""
        digest = Digest.of(data)
        if self._is_whole(digest, len(data)):
            return digest
        path = self.path(digest)
        try:
            self._make(path.parent)
            replace_file(path, data, self._file_mode, prefix=INCOMING)
        except OSError as error:
            raise _unavailable("written", error) from error
        return digest

    def remove(self, digest: Digest) -> None:
        """See the port."""
        self._unlink(self.path(digest))

    def start(self, upload_id: str) -> None:
        """See the port."""
        path = self._upload(upload_id)
        try:
            self._make(self._uploads)
            os.close(open_file(path, os.O_WRONLY | os.O_EXCL, self._file_mode))
        except OSError as error:
            raise _unavailable("written", error) from error

    def uploaded_bytes(self, upload_id: str) -> int | None:
        """See the port."""
        try:
            return self._upload(upload_id).stat().st_size
        except (FileNotFoundError, NoSuchUpload):
            return None

    def append(self, upload_id: str, data: bytes) -> int:
        """See the port."""
        try:
            # Not "ab": that would make a file that is not there.
            with self._upload(upload_id).open("r+b") as file:
                file.seek(0, os.SEEK_END)
                file.write(data)
                return file.tell()
        except FileNotFoundError as error:
            raise NoSuchUpload("there is no such upload") from error
        except OSError as error:
            raise _unavailable("written", error) from error

    def commit(self, upload_id: str, digest: Digest) -> int:
        """See the port."""
        staged, final = self._upload(upload_id), self.path(digest)
        try:
            with staged.open("r+b") as file:
                got = Digest.of(_chunks(file), digest.algorithm)
                size = file.tell()
                if got != digest:
                    raise wrong_upload(digest, got)
                os.fsync(file.fileno())
            self._make(final.parent)
            staged.replace(final)
            # The rename is on the disk only once its directory is.
            sync_directory(final.parent)
        except FileNotFoundError as error:
            raise NoSuchUpload("there is no such upload") from error
        except OSError as error:
            raise _unavailable("written", error) from error
        return size

    def discard(self, upload_id: str) -> None:
        """See the port."""
        self._unlink(self._upload(upload_id))

    def uploads(self) -> Sequence[str]:
        """See the port."""
        try:
            return sorted(path.name for path in self._uploads.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unavailable("read", error) from error

    def _is_whole(self, digest: Digest, size: int) -> bool:
        try:
            self.read(digest, size)
        except (NoSuchBlob, DigestMismatch, Malformed):
            return False
        return True

    def _make(self, path: Path) -> None:
        # Not the root: what it is on may be gone, and must not be made anew in another place.
        self._root.lstat()
        make_directory(path, self._directory_mode)

    def _unlink(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _unavailable("written", error) from error

    def _upload(self, upload_id: str) -> Path:
        return self._uploads / check_upload_id(upload_id)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    try:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
    except OSError as error:
        raise _unavailable("read", error) from error


def _unavailable(doing: str, error: OSError) -> BlobsUnavailable:
    # What it is called and where it lies is for the cause, not for strangers.
    return BlobsUnavailable(
        f"content cannot be {doing} now: {error.strerror or type(error).__name__}",
        hint="try again later; the disk it lies on needs a look",
    )
