"""The schema of a marketplace's database, step by step."""

import sqlite3

from skep.schema_steps import Schema

APPLICATION_ID = 0x536B4D70  # "SkMp"

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

# Version 1 was counted in a table. Skep 0.1.0 looks there, and refuses what says more than 1.
_COUNTED_IN_THE_HEADER = """
CREATE TABLE IF NOT EXISTS schema_version (version INTEGER) STRICT;
INSERT INTO schema_version VALUES (2);
"""


def _earlier_version(connection: sqlite3.Connection) -> int:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if not {"schema_version", "manifest_blobs", "versions", "newest"} <= tables:
        return 0
    return int(connection.execute("SELECT max(version) FROM schema_version").fetchone()[0] or 0)


# Never edit a step that was released; add one, and a fixture of the version before it.
SCHEMA = Schema(
    "database of a marketplace",
    APPLICATION_ID,
    (_FIRST, _COUNTED_IN_THE_HEADER),
    _earlier_version,
)
