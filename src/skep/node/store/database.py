"""Opening the database: SQLite in WAL mode, with a schema version that only grows.

``user_version`` counts the steps of :data:`_STEPS` that a file has had. A file of any earlier
version is brought up to date when it is opened; one of a later version is left alone.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skep.errors import Malformed, NotPermitted, Unavailable, Unsupported

APPLICATION_ID = 0x536B6570  # "Skep", so that `file` and a wrong path are told apart
_BUSY_SECONDS = 10.0

# Never edit a step that was released; add one.
_STEPS: tuple[str, ...] = (
    """
    CREATE TABLE deployments (
        name TEXT PRIMARY KEY,
        reference TEXT NOT NULL,
        digest TEXT NOT NULL,
        program TEXT NOT NULL,
        hook TEXT NOT NULL,
        target TEXT NOT NULL,
        place INTEGER NOT NULL,
        run_on TEXT NOT NULL,
        settings TEXT NOT NULL,
        policy TEXT NOT NULL,
        signer TEXT NOT NULL,
        maps TEXT NOT NULL,
        installed_at TEXT NOT NULL,
        verified_instructions INTEGER,
        stack_bytes INTEGER
    ) STRICT;
    CREATE TABLE journal (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        started_at TEXT NOT NULL,
        command TEXT NOT NULL,
        steps TEXT NOT NULL,
        ended_at TEXT,
        outcome TEXT
    ) STRICT;
    CREATE INDEX journal_unfinished ON journal (number) WHERE ended_at IS NULL;
    """,
)
SCHEMA_VERSION = len(_STEPS)


class NodeDatabaseDamaged(Malformed):
    """The file is not a database of a node, or not a whole one."""


class NodeDatabaseTooNew(Unsupported):
    """A later version of Skep wrote the file."""


class NodeDatabaseUnavailable(Unavailable):
    """The database did not answer: it is locked, or the disk is full."""


@contextmanager
def translating_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours.

    Raises:
        NodeDatabaseDamaged, NodeDatabaseUnavailable, NotPermitted.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
            raise NotPermitted(
                f"expected to write {path}, it is read-only here", hint="run it as root"
            ) from error
        raise NodeDatabaseUnavailable(
            f"the node's database {path} did not answer: {error}",
            hint="look for another process that holds it, and for a full disk",
        ) from error
    except sqlite3.Error as error:
        raise NodeDatabaseDamaged(
            f"{path} is not a whole database of a node: {error}",
            hint="restore it from a backup, or move it away and install again",
        ) from error


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database, create it if it is not there, bring its schema up to date.

    Raises:
        NodeDatabaseDamaged: the file is something else.
        NodeDatabaseTooNew: a later version of Skep wrote it.
        NodeDatabaseUnavailable, NotPermitted: see :func:`translating_errors`.
    """
    with translating_errors(path):
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # FULL: a commit must outlive a power cut, or the kernel would be ahead of the journal.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    application_id, version = _identity(connection)
    if (version, application_id) == (SCHEMA_VERSION, APPLICATION_ID):
        return  # nothing to write: reading commands stay reading
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application_id != APPLICATION_ID and (version or tables):
        raise NodeDatabaseDamaged(
            f"{path} is a database of another program", hint="move it away and try again"
        )
    if version > SCHEMA_VERSION:
        raise NodeDatabaseTooNew(
            f"expected a database of schema version {SCHEMA_VERSION} or earlier, got {version}",
            hint="use the version of Skep that wrote it, or a later one",
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        _, version = _identity(connection)  # again: somebody else may have been faster
        for step in _STEPS[version:]:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _identity(connection: sqlite3.Connection) -> tuple[int, int]:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    return int(application_id), int(version)
