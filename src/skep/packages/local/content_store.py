"""The content store: an OCI image layout, a directory other tools read too.

Blobs are named by their digest and never change; ``index.json`` lists manifests, with a tag or
without, and is the only thing that changes. It is replaced as a whole, under a lock, after
everything it names is there: who reads sees the old list or the new one, and a crash at any point
leaves blobs nobody lists, never a list of missing blobs.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from skep.digests import Digest, DigestMismatch
from skep.errors import Malformed, SkepError, UsageError
from skep.file_modes import PUBLIC_DIRECTORY, PUBLIC_FILE, make_directory, open_file
from skep.json_documents import LARGEST_DOCUMENT, MalformedDocument, canonical_json
from skep.packages.blobs import BlobsUnavailable, NoSuchBlob
from skep.packages.content import LARGEST_PACKAGE
from skep.packages.local.blob_directory import BlobDirectory
from skep.packages.local.errors import NoSuchContent, NotAContentStore, StoreNotAccessible
from skep.packages.local.files import (
    INCOMING,
    read_regular,
    write_atomically,
    writing,
)
from skep.packages.names import one_line
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.manifests import ImageIndex, ImageManifest, parse_index, parse_manifest
from skep.packages.oci.media_types import MANIFEST, REFERENCE_NAME
from skep.packages.references import Reference

_DAMAGED = "index.json.damaged"
_LAYOUT = canonical_json({"imageLayoutVersion": "1.0.0"})
# The grammar of org.opencontainers.image.ref.name, with a length.
_TAG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:@+/-]{0,254}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class NewManifest:
    """A manifest to be listed; all it names must be in the store.

    Attributes:
        data: its bytes.
        media_type: of them.
        tag: name to list it under, or ``None``.
    """

    data: bytes
    media_type: str = MANIFEST
    tag: str | None = None


class IndexDamaged(Malformed):
    """The store's index cannot be read; the content itself may be intact."""


@contextmanager
def reading_package(reference: Reference) -> Iterator[None]:
    """Turn errors while reading content into errors about the package, with a remedy.

    Args:
        reference: that fetches the package again; its digest is not typed.

    Raises:
        NoSuchContent: some of it is missing.
        DigestMismatch: some of it was damaged or changed.
    """
    again = f"skep pull {replace(reference, digest=None)}"
    try:
        yield
    except NoSuchContent as error:
        raise NoSuchContent(
            f"package {reference.package} is missing on this machine: {error.message}",
            hint=again,
        ) from error
    except DigestMismatch as error:
        raise DigestMismatch(f"package {reference.package}: {error.message}", hint=again) from error


class ContentStore:
    """An OCI image layout directory.

    Nothing is touched before the first write; a directory that does not exist reads as empty.

    Args:
        root: the directory; made, with its parents, when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = BlobDirectory(root, directory_mode=PUBLIC_DIRECTORY, file_mode=PUBLIC_FILE)

    # Blobs

    def blob(self, digest: Digest) -> bytes:
        """Content of a blob or manifest, hashed on every read.

        Raises:
            NoSuchContent: the store does not have it.
            DigestMismatch: the file was damaged or changed.
            StoreNotAccessible: this user may not read it.
        """
        try:
            return self._blobs.read(digest, LARGEST_PACKAGE)
        except NoSuchBlob:
            raise NoSuchContent(f"there is no content {digest} in {self.root}") from None
        except DigestMismatch as error:
            raise DigestMismatch(
                f"{self._blobs.path(digest)} was damaged or changed: {error.message}",
                hint="skep pull PACKAGE",
            ) from error
        except BlobsUnavailable as error:
            if isinstance(error.__cause__, PermissionError):
                where = self._blobs.path(digest)
                raise StoreNotAccessible(f"{where} cannot be read by this user") from error
            raise

    def has_blob(self, digest: Digest) -> bool:
        """Whether the content is there and undamaged."""
        try:
            self.blob(digest)
        except (NoSuchContent, DigestMismatch, Malformed):  # no regular file, or too large
            return False
        return True

    def put_blob(self, data: bytes) -> Digest:
        """Store content; an existing blob is replaced only if it is damaged."""
        if len(data) > LARGEST_PACKAGE:
            raise UsageError(f"expected at most {LARGEST_PACKAGE} bytes, got {len(data)}")
        digest = Digest.of(data)
        if self.has_blob(digest):
            return digest  # so that what is there need not be writable
        with writing(self.root):
            self._initialise()
            return self._blobs.put(data)

    # The index

    def _initialise(self) -> None:
        self._check_is_layout()
        make_directory(self.root, PUBLIC_DIRECTORY)
        if not (self.root / "oci-layout").exists():
            write_atomically(self.root / "oci-layout", _LAYOUT)

    def _check_is_layout(self) -> None:
        layout = self.root / "oci-layout"
        try:
            if layout.exists() or not self.root.exists():
                return
            ours = (".lock", INCOMING)
            foreign = not self.root.is_dir() or any(
                not path.name.startswith(ours) for path in self.root.iterdir()
            )
            # Asked again: another process may have made the layout since, and that file first.
            is_layout = not foreign or layout.exists()
        except PermissionError as error:
            raise StoreNotAccessible(f"{self.root} cannot be read by this user") from error
        if not is_layout:
            raise NotAContentStore(
                f"{self.root} is there, but it is no OCI image layout",
                hint="name another directory, or a package folder (….oci)",
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock on the index; released by the kernel if this process dies."""
        with writing(self.root):
            self._initialise()
            lock = open_file(self.root / ".lock", os.O_RDWR, PUBLIC_FILE)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def _index(self) -> ImageIndex:
        self._check_is_layout()
        try:
            data = read_regular(self.root / "index.json", LARGEST_DOCUMENT)
            return parse_index(data, "index.json")
        except NoSuchContent:
            return ImageIndex(())
        except Malformed as error:
            raise IndexDamaged(
                f"the list of packages in {self.root} is damaged: {error.message}",
                hint="skep pull PACKAGE",
            ) from error

    @property
    def is_damaged(self) -> bool:
        """Whether the index cannot be read."""
        try:
            self._index()
        except IndexDamaged:
            return True
        return False

    def rebuild_index(self) -> Path | None:
        """Rebuild a damaged index from the stored manifests; an intact one stays.

        Which tag a manifest had, and so which marketplace it came from, is told by nothing but the
        index. They are listed without: what is deployed is found by its digest, signatures by what
        they are about, and a package by its name once it is pulled again.

        Returns:
            Where the damaged one was kept; ``None`` if it is whole.
        """
        with self._locked():
            try:
                self._index()
            except IndexDamaged:
                pass
            else:
                return None
            found = tuple(self._manifests_on_disk())
            kept = self.root / _DAMAGED
            (self.root / "index.json").replace(kept)
            self._write_index(ImageIndex(found))
        return kept

    def _manifests_on_disk(self) -> Iterator[Descriptor]:
        for digest in self._blobs.digests():
            try:
                if (self._blobs.size(digest) or 0) > LARGEST_DOCUMENT:
                    continue
                data = self.blob(digest)
                yield parse_manifest(data).descriptor(data)
            except SkepError:  # no manifest, or damaged: a list names neither
                continue

    def _write_index(self, index: ImageIndex) -> None:
        write_atomically(self.root / "index.json", index.to_bytes())

    def _blobs_of(self, manifest: ImageManifest) -> Iterator[Digest]:
        yield manifest.config.digest
        for layer in manifest.layers:
            yield layer.digest

    def add(self, manifests: Iterable[NewManifest]) -> tuple[Descriptor, ...]:
        """List manifests, all at once or, if anything is wrong, none.

        Raises:
            NoSuchContent: a manifest names a blob that is not here.
            DigestMismatch: a manifest names a blob that is damaged.
            MalformedDocument: it is no image manifest.
            UsageError: the tag cannot be one.
        """
        entries = []
        for new in manifests:
            if new.tag is not None and not _TAG.fullmatch(new.tag):
                raise UsageError(f"expected a tag, got {one_line(new.tag)!r}")
            parsed = parse_manifest(new.data)
            for digest in self._blobs_of(parsed):
                self.blob(digest)
            self.put_blob(new.data)
            entry = parsed.descriptor(new.data)
            named = {} if new.tag is None else {REFERENCE_NAME: new.tag}
            entries.append(replace(entry, annotations=MappingProxyType(named)))
        with self._locked():
            listed = list(self._index().manifests)
            for entry in entries:
                tag = entry.annotations.get(REFERENCE_NAME)
                # One entry per tag; without a tag only while the manifest is listed nowhere else.
                if tag is None and any(other.digest == entry.digest for other in listed):
                    continue
                listed = [
                    other
                    for other in listed
                    if (tag is None or other.annotations.get(REFERENCE_NAME) != tag)
                    and (other.digest != entry.digest or REFERENCE_NAME in other.annotations)
                ]
                listed.append(entry)
            self._write_index(ImageIndex(tuple(listed)))
        return tuple(entries)

    def put_manifest(
        self, data: bytes, media_type: str = MANIFEST, tag: str | None = None
    ) -> Descriptor:
        """List one manifest; see :meth:`add`."""
        return self.add([NewManifest(data, media_type, tag)])[0]

    def tags(self) -> Mapping[str, Descriptor]:
        """Tagged manifests, by tag, in order."""
        found = {
            manifest.annotations[REFERENCE_NAME]: manifest
            for manifest in self._index().manifests
            if REFERENCE_NAME in manifest.annotations
        }
        return dict(sorted(found.items()))

    def resolve(self, tag: str) -> Descriptor:
        """The manifest a tag names.

        Raises:
            NoSuchContent: with the tags there are, if they are few.
        """
        tags = self.tags()
        if tag not in tags:
            known = ", ".join(tags) if len(tags) <= 10 else f"{len(tags)} others"
            raise NoSuchContent(
                f"{self.root} has no {one_line(tag)!r}", hint=f"it has: {known or 'nothing'}"
            )
        return tags[tag]

    def manifest(self, digest: Digest) -> ImageManifest:
        """A manifest, parsed.

        Raises:
            NoSuchContent, DigestMismatch, MalformedDocument: it is not there, or damaged.
        """
        return parse_manifest(self.blob(digest))

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """Listed manifests whose subject is ``digest``, with their ``artifact_type``.

        The type comes from the manifest, not from the list: a list may say anything. A damaged
        manifest is left out, as nobody can tell what it refers to; other packages' signatures
        must not suffer from it, and a package without its signature is not trusted.
        """
        found = {}
        for entry in self._index().manifests:
            if entry.media_type != MANIFEST or entry.digest in found:
                continue
            try:
                data = self.blob(entry.digest)
                manifest = parse_manifest(data)
            except (NoSuchContent, DigestMismatch, MalformedDocument):
                continue
            if manifest.subject is not None and manifest.subject.digest == digest:
                found[entry.digest] = manifest.descriptor(data)
        return tuple(found.values())
