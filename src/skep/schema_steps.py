"""One runner of numbered schema steps, for every SQLite database Skep keeps.

A database carries two numbers in its header: ``application_id`` says that it is ours, and whose;
``user_version`` counts the steps it has had. Opening runs the missing ones, each in a transaction
of its own together with its number:

1. Nothing is written before the file is known to be ours and not newer than this version of Skep.
2. A step and its number are committed together, so a crash leaves the version before or after it.
3. The version is read again inside each transaction, so a step never runs twice, however many
   processes open the file at once.

Steps are SQL. A released step is never edited; a change is a new step at the end.
Source: https://www.sqlite.org/pragma.html#pragma_user_version
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from skep.errors import Malformed, NotPermitted, SkepError, Unavailable, Unsupported
from skep.file_modes import open_file

BUSY_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
_HINTS: Mapping[int, str] = MappingProxyType(
    {
        sqlite3.SQLITE_BUSY: "another process holds it; wait for it and try again",
        sqlite3.SQLITE_LOCKED: "another process holds it; wait for it and try again",
        sqlite3.SQLITE_CANTOPEN: "its directory must be there and writable, and not on a full or "
        "read-only file system",
    }
)


class DatabaseDamaged(Malformed):
    """The file is not a database of Skep, or it is damaged."""


class DatabaseTooNew(Unsupported):
    """A later version of Skep wrote the file."""


class DatabaseUnavailable(Unavailable):
    """The database did not answer: it is locked, or the disk is full."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database of one kind looks like, step by step.

    Attributes:
        kind: for messages: ``database of a node``.
        application_id: tells a database of this kind from all others.
        steps: SQL; step 1 makes an empty file the first version.
        journal_mode: how SQLite makes transactions whole. ``WAL`` lets many read while one writes,
            and needs two more files also to read; ``DELETE`` needs none to read.
        earlier_version: version of a file that was written before its kind had an
            ``application_id``; 0 if the file is not of this kind.
    """

    kind: str
    application_id: int
    steps: tuple[str, ...]
    earlier_version: Callable[[sqlite3.Connection], int] | None = None
    journal_mode: Literal["WAL", "DELETE"] = "WAL"

    @property
    def version(self) -> int:
        """The newest version: the number of steps."""
        return len(self.steps)


@contextmanager
def translating_errors(path: Path, doing: str = "") -> Iterator[None]:
    """Turn SQLite's errors into ours.

    Args:
        doing: what was being done, to begin the message with.

    Raises:
        DatabaseDamaged, DatabaseUnavailable, NotPermitted.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, f"the database {path}", doing and f"{doing}: ") from error


def translated(error: sqlite3.Error, name: str = "a database", doing: str = "") -> SkepError:
    """The error to raise for one of SQLite.

    Args:
        name: of the database, for messages.
        doing: what was being done, to begin the message with.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return NotPermitted(
            f"{doing}cannot write {name}: {error}",
            hint="run it as root; the file system must not be read-only",
        )
    if code == sqlite3.SQLITE_FULL:
        return DatabaseUnavailable(
            f"{doing}cannot write {name}: {error}", hint="free space there and try again"
        )
    if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
        return DatabaseUnavailable(
            f"{doing}{name} did not answer: {error}",
            hint=_HINTS.get(code, "look for a full disk, and into the system log"),
        )
    return DatabaseDamaged(
        f"{doing}{name} is damaged or not a database of Skep: {error}",
        hint="restore it from a backup, or move it away and start again",
    )


def make_database_file(path: Path) -> None:
    """Make an empty file that only its owner can read, if it is missing, whatever the umask.

    SQLite takes it for an empty database, and gives the files beside it the same mode. What goes
    wrong it says better when it opens the file.
    """
    with suppress(OSError):
        os.close(open_file(path, os.O_RDWR))


def current_version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    """How many steps the database has had; reads only.

    Raises:
        DatabaseDamaged: it is a database of something else.
        DatabaseTooNew: it has had more steps than there are.
    """
    application_id, version, tables = _header(connection)
    if application_id != schema.application_id:
        is_empty = not (application_id or version or tables)
        if not is_empty:
            version = _earlier_version(connection, schema) if application_id == 0 else 0
            if version < 1:
                raise DatabaseDamaged(
                    f"expected a {schema.kind}, {path} is a database of another program",
                    hint="move it away and try again",
                )
    if version > schema.version:
        raise DatabaseTooNew(
            f"expected a {schema.kind} of version {schema.version} or older, "
            f"{path} has version {version}",
            hint="use the version of Skep that wrote it, or a newer one",
        )
    if version < 0:
        raise DatabaseDamaged(
            f"expected a {schema.kind}, {path} has version {version}",
            hint="restore it from a backup, or move it away and start again",
        )
    return version


def bring_up_to_date(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Run the steps that the database has not had; an up-to-date one is not written.

    Args:
        connection: in autocommit mode (``isolation_level=None``).
        path: for messages.

    Raises:
        DatabaseDamaged, DatabaseTooNew, DatabaseUnavailable, NotPermitted: naming file and step;
            the database keeps the last version it reached.
    """
    with translating_errors(path):
        # (1)
        current_version(connection, path, schema)
        if _header(connection)[:2] == (schema.application_id, schema.version):
            if schema.journal_mode == "DELETE":
                _use_journal(connection, schema)
            return
        _use_journal(connection, schema)
    for number in range(1, schema.version + 1):
        with translating_errors(path, f"step {number} of the {schema.kind} failed"):
            _run_step(connection, path, schema, number)


def upgraded_copy(connection: sqlite3.Connection, path: Path, schema: Schema) -> sqlite3.Connection:
    """A copy in memory, brought up to date; for readers, which must not write the file.

    Raises:
        DatabaseDamaged, DatabaseTooNew, DatabaseUnavailable: as above.
    """
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        with translating_errors(path):
            connection.backup(copy)
        bring_up_to_date(copy, path, schema)
    except BaseException:
        copy.close()
        raise
    return copy


def _run_step(connection: sqlite3.Connection, path: Path, schema: Schema, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # (3)
        if current_version(connection, path, schema) < number:
            for statement in statements(schema.steps[number - 1]):
                connection.execute(statement)
            # (2)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {schema.application_id}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def statements(script: str) -> Iterator[str]:
    """The statements of a script, those with semicolons inside (triggers, texts) whole.

    >>> list(statements("SELECT ';'; SELECT 2;"))
    ["SELECT ';';", ' SELECT 2;']

    Raises:
        ValueError: the last statement has no end.
    """
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip() != ";":
                yield statement
            statement = ""
    if statement.strip(" \n;"):
        raise ValueError(f"expected a whole statement, got {statement[:80]!r}")


def _earlier_version(connection: sqlite3.Connection, schema: Schema) -> int:
    return schema.earlier_version(connection) if schema.earlier_version is not None else 0


def _header(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """``application_id``, ``user_version`` and the number of tables and the like.

    In one statement, so that all are of one moment: another process may be at work on the file.
    """
    application_id, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    return int(application_id), int(version), int(tables)


def _use_journal(connection: sqlite3.Connection, schema: Schema) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if str(mode).upper() == schema.journal_mode:
        return
    # The switch needs the file for itself and, unlike everything else, does not wait for it.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {schema.journal_mode}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if schema.journal_mode == "DELETE":
                return  # others have it open, and may wait for the same; the next opening tries
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
