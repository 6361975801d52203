"""The catalogue of a marketplace in memory; held to the same contract as the real one."""

from collections.abc import Sequence
from datetime import datetime

from skep.digests import Digest
from skep.marketplace.registry.errors import ManifestUnknown, VersionTaken
from skep.marketplace.registry.records import (
    ManifestRecord,
    Publication,
    PublishedVersion,
    SearchEntry,
    SearchHit,
    Upload,
)
from skep.packages.oci.descriptors import Descriptor
from skep.packages.wire.search_query import Field
from skep.versions import Version

Key = tuple[str, Digest]


class FakeCatalogue:
    def __init__(self) -> None:
        self._uploads: dict[str, Upload] = {}
        self._blobs: dict[Key, tuple[int, datetime]] = {}
        self._manifests: dict[Key, tuple[ManifestRecord, datetime]] = {}
        self._published: set[Key] = set()
        self._versions: dict[tuple[str, Version], PublishedVersion] = {}
        self._search: dict[str, SearchEntry] = {}

    def close(self) -> None:
        pass

    def add_upload(self, upload: Upload) -> None:
        self._uploads[upload.upload_id] = upload

    def upload(self, repository: str, upload_id: str) -> Upload | None:
        found = self._uploads.get(upload_id)
        return found if found and found.repository == repository else None

    def remove_upload(self, upload_id: str) -> None:
        self._uploads.pop(upload_id, None)

    def uploads_before(self, moment: datetime) -> Sequence[str]:
        return [key for key, upload in self._uploads.items() if upload.started_at < moment]

    def open_uploads(self) -> int:
        return len(self._uploads)

    def staged_bytes(self) -> int:
        visible = self._visible_blobs()
        return sum(size for key, (size, _) in self._blobs.items() if key not in visible)

    def stage_blob(self, repository: str, digest: Digest, size: int, now: datetime) -> None:
        self._blobs[repository, digest] = (size, now)

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        size, _ = self._blobs.get((repository, digest), (None, None))
        return size

    def expire_staged(self, before: datetime) -> Sequence[Digest]:
        for key, (_, pushed_at) in list(self._manifests.items()):
            if key not in self._published and pushed_at < before:
                del self._manifests[key]
        named = {
            (record.repository, blob)
            for record, _ in self._manifests.values()
            for blob in record.blobs
        }
        gone = [
            key
            for key, (_, pushed_at) in self._blobs.items()
            if pushed_at < before and key not in named
        ]
        for key in gone:
            del self._blobs[key]
        left = {digest for _, digest in self._blobs}
        return sorted({digest for _, digest in gone} - left)

    def stage_manifest(self, record: ManifestRecord, now: datetime) -> None:
        key = (record.repository, record.digest)
        there = self._manifests.get(key)
        self._manifests[key] = (there[0] if there else record, now)

    def manifest(self, repository: str, digest: Digest) -> ManifestRecord | None:
        record, _ = self._manifests.get((repository, digest), (None, None))
        return record

    def manifests_about(self, repository: str, digest: Digest) -> Sequence[ManifestRecord]:
        return [
            record
            for record, _ in self._manifests.values()
            if record.repository == repository and record.subject == digest
        ]

    def published_manifest(self, repository: str, digest: Digest) -> ManifestRecord | None:
        key = (repository, digest)
        return self.manifest(*key) if key in self._published else None

    def published_blob(self, repository: str, digest: Digest) -> int | None:
        key = (repository, digest)
        return self.blob_size(*key) if key in self._visible_blobs() else None

    def published_referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        return [
            record.descriptor
            for record in self.manifests_about(repository, digest)
            if (repository, record.digest) in self._published
        ]

    def version(self, package: str, version: Version) -> PublishedVersion | None:
        return self._versions.get((package, version))

    def versions(self, package: str) -> Sequence[PublishedVersion]:
        return [version for (name, _), version in self._versions.items() if name == package]

    def publish(self, publication: Publication) -> None:
        version = publication.version
        there = self._versions.get((version.package, version.version))
        if there is not None and there.digest != version.digest:
            raise VersionTaken("taken")
        visible = [(version.package, one) for one in (version.digest, *publication.referrers)]
        if not all(key in self._manifests for key in visible):
            raise ManifestUnknown("expired")
        self._published.update(visible)
        self._versions.setdefault((version.package, version.version), version)
        if publication.search is not None:
            self._search[version.package] = publication.search

    def search(
        self, words: Sequence[str], limit: int, filters: Sequence[tuple[Field, str]] = ()
    ) -> Sequence[SearchHit]:
        hits = []
        for entry in self._search.values():
            fields = {"name": entry.package, "summary": entry.summary}
            everything = f"{entry.package} {entry.summary} {entry.words}"
            if all(_begins(everything, word) for word in words) and all(
                _begins(fields[field], word) for field, word in filters
            ):
                version = self._versions[entry.package, entry.version]
                hits.append(SearchHit(entry.package, version))
        if words or filters:
            hits.sort(key=lambda hit: (not any(word in hit.package for word in words), hit.package))
        else:
            hits.sort(key=lambda hit: hit.package)
            hits.sort(key=lambda hit: hit.version.published_at, reverse=True)
        return hits[:limit]

    def _visible_blobs(self) -> set[Key]:
        return {
            (repository, blob)
            for repository, digest in self._published
            for blob in self._manifests[repository, digest][0].blobs
        }


def _begins(text: str, word: str) -> bool:
    there = "".join(char if char.isalnum() else " " for char in text.casefold()).split()
    return any(one.startswith(word) for one in there)
