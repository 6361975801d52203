"""A content store to try things with: reads what is on disk, keeps what is new in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skep.digests import Digest
from skep.errors import UsageError
from skep.packages.content import LARGEST_PACKAGE
from skep.packages.local.content_store import ContentStore
from skep.packages.oci.manifests import ImageIndex


class ScratchStore(ContentStore):
    """A content store that writes nothing: a dry run pulls a package into it.

    Args:
        root: of the store on disk; it need not exist, and is never made.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._new: dict[Digest, bytes] = {}
        self._listed: ImageIndex | None = None

    def blob(self, digest: Digest) -> bytes:
        """Content of a blob or manifest; see :meth:`ContentStore.blob`."""
        kept = self._new.get(digest)
        return super().blob(digest) if kept is None else kept

    def put_blob(self, data: bytes) -> Digest:
        """Keep content as long as this value."""
        digest = Digest.of(data)
        if len(data) > LARGEST_PACKAGE:
            raise UsageError(f"expected at most {LARGEST_PACKAGE} bytes, got {len(data)}")
        if not self.has_blob(digest):
            self._new[digest] = data
        return digest

    @contextmanager
    def _locked(self) -> Iterator[None]:
        yield  # nobody else can write what is in memory

    def _index(self) -> ImageIndex:
        return super()._index() if self._listed is None else self._listed

    def _write_index(self, index: ImageIndex) -> None:
        self._listed = index
