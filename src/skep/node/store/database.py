"""The schema of a node's database, step by step, and opening it.

SQLite keeps a rollback journal here, not a write-ahead log (WAL). With WAL also readers make files
beside the database and write to them, so that on a full disk or a read-only file system nobody
could look, and looking changed the directory. What WAL gives, reading while another process
writes, is not needed: changes are few and short, and they and those who look share the node's lock.

Looking opens the file read-only. What a crash left beside it (the journal of a transaction that
was cut off, the log of an older version of Skep) belongs to what was committed, and SQLite would
have to write to take it into account. So it is read from a copy then; the next change clears up.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from skep.errors import NotPermitted
from skep.schema_steps import (
    BUSY_SECONDS,
    DatabaseDamaged,
    DatabaseTooNew,
    DatabaseUnavailable,
    Schema,
    bring_up_to_date,
    current_version,
    make_database_file,
    translating_errors,
    upgraded_copy,
)

APPLICATION_ID = 0x536B6570  # "Skep", so that `file` and a wrong path are told apart

_DEPLOYMENTS_AND_JOURNAL = """
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
"""

# An audit record: rows are added and never changed. A deployment names the row that allows it;
# deployments from before have none.
_CONSENTS = """
    CREATE TABLE consents (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('given', 'refused', 'exceeded')),
        deployment TEXT NOT NULL,
        reference TEXT NOT NULL,
        digest TEXT NOT NULL,
        person TEXT NOT NULL,
        how TEXT NOT NULL CHECK (how IN ('question', 'yes', '')),
        taxonomy INTEGER NOT NULL,
        shown TEXT NOT NULL,
        package TEXT NOT NULL
    ) STRICT;
    CREATE INDEX consents_by_deployment ON consents (deployment, number);
    CREATE TRIGGER consents_never_change BEFORE UPDATE ON consents BEGIN
        SELECT RAISE(ABORT, 'records of consent are never changed');
    END;
    CREATE TRIGGER consents_never_go BEFORE DELETE ON consents BEGIN
        SELECT RAISE(ABORT, 'records of consent are never deleted');
    END;
    ALTER TABLE deployments ADD COLUMN consent INTEGER REFERENCES consents (number);
"""

# Where deployments are (names are for people, bindings for this boot), the digest of the kept copy
# of each linked program, whether it may end its chain by a tail call, and what an unfinished change
# may have touched.
_PLACES = """
    ALTER TABLE deployments ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
    ALTER TABLE deployments ADD COLUMN binding TEXT NOT NULL DEFAULT 'null';
    ALTER TABLE deployments ADD COLUMN kept TEXT NOT NULL DEFAULT '';
    ALTER TABLE deployments ADD COLUMN may_tail_call INTEGER;
    ALTER TABLE journal ADD COLUMN scope TEXT NOT NULL DEFAULT '{}';
"""

# Programs and where they are have a table of their own, so that a deployment can have several.
_ATTACHMENTS = """
    CREATE TABLE attachments (
        deployment TEXT NOT NULL REFERENCES deployments (name),
        number INTEGER NOT NULL,
        program TEXT NOT NULL,
        hook TEXT NOT NULL,
        target TEXT NOT NULL,
        namespace TEXT NOT NULL,
        PRIMARY KEY (deployment, number)
    ) STRICT;
    INSERT INTO attachments (deployment, number, program, hook, target, namespace)
        SELECT name, 0, program, hook, target, namespace FROM deployments;
    ALTER TABLE deployments DROP COLUMN program;
    ALTER TABLE deployments DROP COLUMN hook;
    ALTER TABLE deployments DROP COLUMN target;
    ALTER TABLE deployments DROP COLUMN namespace;
"""

# Never edit a step that was released; add one, and a fixture of the version before it.
SCHEMA = Schema(
    "database of a node",
    APPLICATION_ID,
    (_DEPLOYMENTS_AND_JOURNAL, _CONSENTS, _PLACES, _ATTACHMENTS),
    journal_mode="DELETE",
)

_RUNS_ON = "programs that run keep running, and skep remove --on HOOK removes them"
# Memory first: disks may be full.
_COPIES_GO_TO = (Path("/dev/shm"), Path("/run"), Path("/tmp"))  # noqa: S108 - a directory of our own is made there
_WAL_FORMAT = b"\x02"  # in the header of a file, at 18 and 19


def open_database(path: Path, *, reading: bool = False) -> sqlite3.Connection:
    """Open the database, create it if it is not there, bring its schema up to date.

    Args:
        reading: write nothing; what an older version of Skep wrote, or a crash left unfinished, is
            read from a copy.

    Raises:
        DatabaseDamaged, DatabaseTooNew, DatabaseUnavailable, NotPermitted: see
            :mod:`skep.schema_steps`.
    """
    with explaining(path):
        return _open_to_read(path) if reading else _open_to_write(path)


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, and say what becomes of the programs.

    Raises:
        DatabaseDamaged, DatabaseUnavailable, NotPermitted.
    """
    try:
        with translating_errors(path):
            yield
    except (DatabaseDamaged, DatabaseTooNew, DatabaseUnavailable, NotPermitted) as error:
        code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
        if code not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} and _RUNS_ON not in error.hint:
            error.hint = f"{error.hint}; {_RUNS_ON}"
        raise


def _open_to_write(path: Path) -> sqlite3.Connection:
    make_database_file(path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        # A commit must outlive a power cut, or the kernel would be ahead of the journal. EXTRA:
        # also the end of a transaction, which is the removal of SQLite's journal.
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA foreign_keys = ON")
        bring_up_to_date(connection, path, SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_to_read(path: Path) -> sqlite3.Connection:
    connection = _connect_to_read(path)
    try:
        if current_version(connection, path, SCHEMA) < SCHEMA.version:
            with_steps = upgraded_copy(connection, path, SCHEMA)
            connection.close()
            return with_steps
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    if _has_content(path, "-wal"):
        return _copied(path)
    with path.open("rb") as file:
        is_wal = file.read(20)[18:] == _WAL_FORMAT * 2
    if is_wal:
        # Of an older version of Skep, at rest: everything is in the file. Nobody writes to it
        # without the node's lock, and it loses this format at the next change.
        return _connect(path, "mode=ro&immutable=1")
    connection = _connect(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if not _has_content(path, "-journal"):
            raise
        return _copied(path)
    return connection


def _has_content(path: Path, ending: str) -> bool:
    try:
        return path.with_name(path.name + ending).stat().st_size > 0
    except OSError:
        return False


def _connect(path: Path, how: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{how}"
    return sqlite3.connect(uri, timeout=BUSY_SECONDS, isolation_level=None, uri=True)


def _copied(path: Path) -> sqlite3.Connection:
    """A copy in memory, with what a crash left beside the file taken into account."""
    reason: OSError | None = None
    for place in _COPIES_GO_TO:
        try:
            with _own_directory(place) as directory:
                return _recovered(path, directory / "db")
        except OSError as error:
            reason = error
    raise DatabaseUnavailable(
        f"{path} was left in the middle of a change, and there is no room for a copy to look into: "
        f"{reason}",
        hint="free space, then any change of this node clears up",
    ) from reason


@contextmanager
def _own_directory(place: Path) -> Iterator[Path]:
    directory = place / f"skep-{os.getpid()}-{time.monotonic_ns()}"
    directory.mkdir(0o700)  # fails if there is anything of the name
    try:
        yield directory
    finally:
        for each in directory.iterdir():
            each.unlink()
        directory.rmdir()


def _recovered(path: Path, to: Path) -> sqlite3.Connection:
    for ending in ("", "-journal", "-wal"):
        with suppress(FileNotFoundError):
            data = path.with_name(path.name + ending).read_bytes()
            to.with_name(to.name + ending).write_bytes(data)
    recovered = sqlite3.connect(to, isolation_level=None)
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        recovered.backup(copy)
    except BaseException:
        copy.close()
        raise
    finally:
        recovered.close()
    return copy
