"""The database of a marketplace, version by version.

A new version is a new entry at the end of :data:`MIGRATIONS`; entries are never edited, because
databases of earlier versions were made with them.
"""

import sqlite3

from skep.marketplace.registry.errors import StoreTooNew

_FIRST = """
CREATE TABLE uploads (
    upload_id TEXT PRIMARY KEY,
    repository TEXT NOT NULL,
    started_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    pushed_at TEXT NOT NULL,
    PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_digest ON blobs (digest);

CREATE TABLE manifests (
    manifest_id INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    artifact_type TEXT NOT NULL,
    annotations TEXT NOT NULL,
    subject TEXT,
    data BLOB NOT NULL,
    pushed_at TEXT NOT NULL,
    is_published INTEGER NOT NULL DEFAULT 0,
    UNIQUE (repository, digest)
) STRICT;
CREATE INDEX manifests_by_subject ON manifests (repository, subject) WHERE subject IS NOT NULL;

CREATE TABLE manifest_blobs (
    manifest_id INTEGER NOT NULL REFERENCES manifests ON DELETE CASCADE,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (manifest_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_blobs_by_digest ON manifest_blobs (repository, digest);

CREATE VIEW published_blobs AS SELECT repository, digest, size FROM blobs WHERE EXISTS (
    SELECT 1 FROM manifest_blobs AS named JOIN manifests USING (manifest_id)
    WHERE named.repository = blobs.repository AND named.digest = blobs.digest AND is_published = 1
);

CREATE TABLE versions (
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    published_at TEXT NOT NULL,
    summary TEXT NOT NULL,
    licence TEXT NOT NULL,
    signed_by TEXT NOT NULL,
    label TEXT NOT NULL,
    verdict TEXT NOT NULL,
    PRIMARY KEY (package, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE newest (
    package_id INTEGER PRIMARY KEY,
    package TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL
) STRICT;

CREATE VIRTUAL TABLE search USING fts5 (
    package, summary, words, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)


def prepare(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest version, all or nothing.

    Raises:
        StoreTooNew: a later version of Skep has written it.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _migrate(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER) STRICT")
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    current: int = row[0] or 0
    if current > len(MIGRATIONS):
        raise StoreTooNew(
            f"expected a database of version {len(MIGRATIONS)} or older, got {current}",
            hint="start the version of Skep that wrote it, or a newer one",
        )
    for version, script in enumerate(MIGRATIONS[current:], start=current + 1):
        # Not executescript: it would commit the transaction first.
        for statement in script.split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO schema_version VALUES (?)", (version,))
