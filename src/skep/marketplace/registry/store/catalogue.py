"""The catalogue in SQLite: what was pushed, what is published, what it is found by.

One process, one writing connection, one reading connection that cannot write; both behind a lock,
because requests come from several threads. Times are RFC 3339 in UTC, so text order is time order.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from skep.bytecode.analysis.label import Label
from skep.clock import rfc3339
from skep.digests import Digest
from skep.json_documents import JsonValue, parse_table
from skep.marketplace.registry.errors import ManifestUnknown, VersionTaken
from skep.marketplace.registry.records import (
    ManifestRecord,
    Publication,
    PublishedVersion,
    SearchEntry,
    SearchHit,
    Upload,
)
from skep.marketplace.registry.store.schema import SCHEMA
from skep.packages.oci.descriptors import Descriptor
from skep.packages.wire.search_query import Field
from skep.schema_steps import (
    BUSY_SECONDS,
    bring_up_to_date,
    make_database_file,
    translating_errors,
)
from skep.versions import Version

_LARGEST_COLUMN = 64 * 1024 * 1024  # bytes; the label of the largest object is smaller
_MANIFEST = """
    SELECT manifest_id, repository, digest, media_type, artifact_type, annotations, subject, data
    FROM manifests WHERE repository = ?
"""
_VERSION = """
    SELECT versions.package, versions.version, digest, published_at, versions.summary, licence,
        signed_by, label, verdict
    FROM versions
"""
# Weights of package, summary and words: a name that fits is what people look for.
_COLUMNS: dict[Field, str] = {"name": "package", "summary": "summary"}
_RANK = "bm25(search, 10.0, 4.0, 1.0)"


class SqliteCatalogue:
    """All ports of the registry, in one file.

    Args:
        path: of the database; made if it does not exist, brought up to date if it is older.

    Raises:
        DatabaseDamaged, DatabaseTooNew, DatabaseUnavailable, NotPermitted: see
            :mod:`skep.schema_steps`.
    """

    def __init__(self, path: Path) -> None:
        self._writing = _connect(path)
        self._writing_lock = threading.Lock()
        try:
            bring_up_to_date(self._writing, path, SCHEMA)
        except BaseException:
            self._writing.close()
            raise
        self._reading = _connect(path)
        self._reading.execute("PRAGMA query_only = ON")
        self._reading_lock = threading.Lock()

    def close(self) -> None:
        """Let go of the database."""
        with self._writing_lock, self._reading_lock:
            self._reading.close()
            self._writing.close()

    # Uploads and blobs

    def add_upload(self, upload: Upload) -> None:
        """Remember an upload."""
        with self._transaction() as write:
            write.execute(
                "INSERT INTO uploads VALUES (?, ?, ?)",
                (upload.upload_id, upload.repository, rfc3339(upload.started_at)),
            )

    def upload(self, repository: str, upload_id: str) -> Upload | None:
        """An upload of this repository."""
        for (started_at,) in self._rows(
            "SELECT started_at FROM uploads WHERE upload_id = ? AND repository = ?",
            upload_id,
            repository,
        ):
            return Upload(upload_id, repository, datetime.fromisoformat(started_at))
        return None

    def remove_upload(self, upload_id: str) -> None:
        """Forget an upload; forgetting what is not there is nothing."""
        with self._transaction() as write:
            write.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))

    def uploads_before(self, moment: datetime) -> Sequence[str]:
        """Ids of uploads that started before ``moment``."""
        return [
            upload_id
            for (upload_id,) in self._rows(
                "SELECT upload_id FROM uploads WHERE started_at < ?", rfc3339(moment)
            )
        ]

    def open_uploads(self) -> int:
        """How many uploads there are."""
        return self._number("SELECT count(*) FROM uploads") or 0

    def staged_bytes(self) -> int:
        """Bytes of blobs that no published manifest names."""
        return (
            self._number(
                "SELECT sum(size) FROM blobs WHERE (repository, digest) NOT IN"
                " (SELECT repository, digest FROM published_blobs)"
            )
            or 0
        )

    def stage_blob(self, repository: str, digest: Digest, size: int, now: datetime) -> None:
        """Note that a blob was pushed to a repository; again renews its time."""
        with self._transaction() as write:
            write.execute(
                "INSERT INTO blobs VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET pushed_at = excluded.pushed_at",
                (repository, str(digest), size, rfc3339(now)),
            )

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Size of a blob that was pushed to this repository, staged or published."""
        return self._number(
            "SELECT size FROM blobs WHERE repository = ? AND digest = ?", repository, str(digest)
        )

    def expire_staged(self, before: datetime) -> Sequence[Digest]:
        """Forget what was pushed before a moment and is not published.

        A blob that a staged manifest names stays as long as the manifest does.

        Returns:
            Digests of blobs that no repository has any more.
        """
        moment = rfc3339(before)
        with self._transaction() as write:
            write.execute(
                "DELETE FROM manifests WHERE is_published = 0 AND pushed_at < ?", (moment,)
            )
            gone = write.execute(
                "DELETE FROM blobs WHERE pushed_at < ? AND NOT EXISTS (SELECT 1 FROM manifest_blobs"
                " AS named WHERE named.repository = blobs.repository"
                " AND named.digest = blobs.digest) RETURNING digest",
                (moment,),
            ).fetchall()
            return [
                Digest.parse(digest)
                for digest in sorted({digest for (digest,) in gone})
                if not write.execute("SELECT 1 FROM blobs WHERE digest = ?", (digest,)).fetchone()
            ]

    # Manifests

    def stage_manifest(self, record: ManifestRecord, now: datetime) -> None:
        """Keep a manifest; the same again renews its time."""
        descriptor = record.descriptor
        with self._transaction() as write:
            (manifest_id,) = write.execute(
                "INSERT INTO manifests (repository, digest, media_type, artifact_type,"
                " annotations, subject, data, pushed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET pushed_at = excluded.pushed_at RETURNING manifest_id",
                (
                    record.repository,
                    str(descriptor.digest),
                    descriptor.media_type,
                    descriptor.artifact_type,
                    json.dumps(dict(descriptor.annotations)),
                    str(record.subject) if record.subject else None,
                    record.data,
                    rfc3339(now),
                ),
            ).fetchone()
            write.executemany(
                "INSERT OR IGNORE INTO manifest_blobs VALUES (?, ?, ?)",
                [(manifest_id, record.repository, str(digest)) for digest in record.blobs],
            )

    def manifest(self, repository: str, digest: Digest) -> ManifestRecord | None:
        """A manifest that was pushed to this repository, staged or published."""
        return self._one_manifest(_MANIFEST + "AND digest = ?", repository, str(digest))

    def manifests_about(self, repository: str, digest: Digest) -> Sequence[ManifestRecord]:
        """Manifests whose subject is ``digest``, staged or published, oldest first."""
        rows = self._rows(
            _MANIFEST + "AND subject = ? ORDER BY manifest_id", repository, str(digest)
        )
        return [self._record(row) for row in rows]

    def published_manifest(self, repository: str, digest: Digest) -> ManifestRecord | None:
        """A published manifest."""
        return self._one_manifest(
            _MANIFEST + "AND digest = ? AND is_published = 1", repository, str(digest)
        )

    def published_blob(self, repository: str, digest: Digest) -> int | None:
        """Size of a blob that a published manifest of this repository names."""
        return self._number(
            "SELECT size FROM published_blobs WHERE repository = ? AND digest = ?",
            repository,
            str(digest),
        )

    def published_referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        """Published manifests whose subject is ``digest``, oldest first."""
        rows = self._rows(
            _MANIFEST + "AND subject = ? AND is_published = 1 ORDER BY manifest_id",
            repository,
            str(digest),
        )
        return [_descriptor(row) for row in rows]

    # Versions

    def version(self, package: str, version: Version) -> PublishedVersion | None:
        """A published version."""
        for row in self._rows(
            _VERSION + "WHERE package = ? AND version = ?", package, str(version)
        ):
            return _published(row)
        return None

    def versions(self, package: str) -> Sequence[PublishedVersion]:
        """All published versions, in no order."""
        return [_published(row) for row in self._rows(_VERSION + "WHERE package = ?", package)]

    def publish(self, publication: Publication) -> None:
        """Make a version, its manifests and its blobs visible, all at once.

        Raises:
            VersionTaken: the version is there with another digest; nothing is changed.
            ManifestUnknown: a manifest is not there any more; nothing is changed.
        """
        version = publication.version
        with self._transaction() as write:
            there = write.execute(
                "SELECT digest FROM versions WHERE package = ? AND version = ?",
                (version.package, str(version.version)),
            ).fetchone()
            if there is not None and there[0] != str(version.digest):
                raise VersionTaken(
                    f"{version.package}:{version.version} is published with other content,"
                    f" {there[0]}",
                    hint="a version never changes; publish a new one",
                )
            if there is None:
                write.execute(
                    "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        version.package,
                        str(version.version),
                        str(version.digest),
                        rfc3339(version.published_at),
                        version.summary,
                        version.licence,
                        version.signed_by,
                        json.dumps(version.label.to_document()),
                        json.dumps(dict(version.verdict)),
                    ),
                )
            for digest in (version.digest, *publication.referrers):
                found = write.execute(
                    "UPDATE manifests SET is_published = 1 WHERE repository = ? AND digest = ?",
                    (version.package, str(digest)),
                )
                if found.rowcount != 1:  # it was staged too long, and expired meanwhile
                    raise ManifestUnknown(
                        f"{digest} was not pushed to {version.package}",
                        hint="push the package again, then publish it",
                    )
            if publication.search is not None:
                _index(write, publication.search)

    def search(
        self, words: Sequence[str], limit: int, filters: Sequence[tuple[Field, str]] = ()
    ) -> Sequence[SearchHit]:
        """Packages in which every word begins some word, best first."""
        if words or filters:
            # Quoted, a word is no operator; the star behind it asks for a prefix.
            quoted = ['"' + word.replace('"', '""') + '"*' for word in words]
            for field, word in filters:
                quoted.append(f'{_COLUMNS[field]} : "{word.replace(chr(34), chr(34) * 2)}"*')
            rows = self._rows(
                _VERSION + "JOIN newest USING (package, version)"
                " JOIN search ON search.rowid = newest.package_id"
                f" WHERE search MATCH ? ORDER BY {_RANK}, versions.package LIMIT ?",
                " AND ".join(quoted),
                limit,
            )
        else:
            rows = self._rows(
                _VERSION + "JOIN newest USING (package, version)"
                " ORDER BY published_at DESC, versions.package LIMIT ?",
                limit,
            )
        return [SearchHit(version.package, version) for version in map(_published, rows)]

    # Ways to the database

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing_lock:
            self._writing.execute("BEGIN IMMEDIATE")
            try:
                yield self._writing
            except BaseException:
                self._writing.execute("ROLLBACK")
                raise
            self._writing.execute("COMMIT")

    def _rows(self, query: str, *parameters: str | int | None) -> Sequence[tuple[str, ...]]:
        with self._reading_lock:
            rows: list[tuple[str, ...]] = self._reading.execute(query, parameters).fetchall()
        return rows

    def _number(self, query: str, *parameters: str | int) -> int | None:
        with self._reading_lock:
            row = self._reading.execute(query, parameters).fetchone()
        number: int | None = row[0] if row else None
        return number

    def _one_manifest(self, query: str, *parameters: str) -> ManifestRecord | None:
        for row in self._rows(query, *parameters):
            return self._record(row)
        return None

    def _record(self, row: tuple[str, ...]) -> ManifestRecord:
        manifest_id, repository, subject, data = row[0], row[1], row[6], row[7]
        blobs = self._rows(
            "SELECT digest FROM manifest_blobs WHERE manifest_id = ? ORDER BY digest", manifest_id
        )
        return ManifestRecord(
            repository,
            _descriptor(row),
            Digest.parse(subject) if subject else None,
            tuple(Digest.parse(digest) for (digest,) in blobs),
            bytes(data) if isinstance(data, bytes) else b"",
        )


def _connect(path: Path) -> sqlite3.Connection:
    # Transactions are begun by hand; the library's implicit ones begin too late to be exclusive.
    make_database_file(path)
    with translating_errors(path):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
        )
        connection.execute("PRAGMA synchronous = FULL")  # a receipt must survive a power cut
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection


def _descriptor(row: tuple[str, ...]) -> Descriptor:
    _, _, digest, media_type, artifact_type, annotations, _, data = row
    table = JsonValue(_document(annotations), "annotations").table()
    named = MappingProxyType({name: value.text() for name, value in table.items()})
    return Descriptor(media_type, Digest.parse(digest), len(data), named, artifact_type)


def _document(column: str) -> dict[str, object]:
    return parse_table(column, "column", _LARGEST_COLUMN)


def _published(row: tuple[str, ...]) -> PublishedVersion:
    package, version, digest, published_at, summary, licence, signed_by, label, verdict = row
    return PublishedVersion(
        package,
        Version.parse(version),
        Digest.parse(digest),
        datetime.fromisoformat(published_at),
        summary,
        licence,
        signed_by,
        Label.from_document(_document(label)),
        MappingProxyType(_document(verdict)),
    )


def _index(write: sqlite3.Connection, entry: SearchEntry) -> None:
    (package_id,) = write.execute(
        "INSERT INTO newest (package, version) VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET version = excluded.version RETURNING package_id",
        (entry.package, str(entry.version)),
    ).fetchone()
    write.execute("DELETE FROM search WHERE rowid = ?", (package_id,))
    write.execute(
        "INSERT INTO search (rowid, package, summary, words) VALUES (?, ?, ?, ?)",
        (package_id, entry.package, entry.summary, entry.words),
    )
