"""The committed state of a node in SQLite: deployments, their consents, and the journal."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Self

from skep.hooks.target import HookTarget
from skep.node.records import (
    Consent,
    ConsentRecord,
    DamagedRow,
    Installed,
    JournalEntry,
    Scope,
    says_the_same,
)
from skep.node.store import consents
from skep.node.store.database import explaining, open_database
from skep.node.store.rows import (
    ATTACHMENT_COLUMNS,
    DEPLOYMENT_COLUMNS,
    JOURNAL_COLUMNS,
    attachment_rows,
    deployment_row,
    read_damaged,
    read_deployment,
    read_entry,
    scope_text,
)
from skep.schema_steps import DatabaseDamaged

_EMPTY = Scope()
_COLUMNS = f"{', '.join(DEPLOYMENT_COLUMNS)}, consent"
_WIDTH = len(DEPLOYMENT_COLUMNS)
_ATTACHMENTS = f"deployment, number, {', '.join(ATTACHMENT_COLUMNS)}"
_CONSENT = _WIDTH + 1  # where the columns of the consent begin, and those of the attachments
_ATTACHMENT = _CONSENT + len(consents.COLUMNS.split(","))
# A row for each attachment of each deployment; in one statement, so that all are of one moment.
_INSTALLED = f"""
    SELECT {", ".join(f"deployments.{column}" for column in DEPLOYMENT_COLUMNS)},
        deployments.consent,
        {", ".join(f"consents.{column.strip()}" for column in consents.COLUMNS.split(","))},
        attachments.number,
        {", ".join(f"attachments.{column}" for column in ATTACHMENT_COLUMNS)}
    FROM deployments
    LEFT JOIN consents ON consents.number = deployments.consent
    LEFT JOIN attachments ON attachments.deployment = deployments.name
    ORDER BY deployments.name, attachments.number
"""  # noqa: S608 - the columns are constants
_JOURNAL = ", ".join(JOURNAL_COLUMNS)
_KEEP_ENTRIES = 10_000  # of the journal; some megabytes


class SqliteState:
    """Implements the ``State`` port.

    Args:
        path: of the database.
        reading: only to look; see :func:`~skep.node.store.database.open_database`.
    """

    def __init__(self, path: Path, *, reading: bool = False) -> None:
        self._path = path
        self._connection = open_database(path, reading=reading)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def installed(self) -> tuple[Installed, ...]:
        """Committed deployments, ascending by hook target, order and name; without damaged ones."""
        found = [one for one in self._rows() if isinstance(one, Installed)]
        return tuple(sorted(found, key=_place))

    def damaged(self) -> tuple[DamagedRow, ...]:
        """Deployments whose records cannot be read, ascending by name."""
        damaged = [one for one in self._rows() if isinstance(one, DamagedRow)]
        return tuple(sorted(damaged, key=lambda row: row.name))

    def problem(self) -> str:
        """What is wrong with the database as a whole; empty if nothing is."""
        try:
            with explaining(self._path):
                found = self._connection.execute("PRAGMA quick_check(1)").fetchall()
        except DatabaseDamaged as error:
            return error.message
        text = "; ".join(str(row[0]) for row in found)
        return "" if text == "ok" else f"the database {self._path} is damaged: {text}"

    def begin(self, command: str, steps: Sequence[str], at: str, scope: Scope = _EMPTY) -> int:
        """Write a journal entry before anything is done; returns its number."""
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO journal (started_at, command, steps, scope) VALUES (?, ?, ?, ?)",
                (at, command, json.dumps(list(steps)), scope_text(scope)),
            )
            number = cursor.lastrowid or 0
            connection.execute(
                "DELETE FROM journal WHERE ended_at IS NOT NULL AND number <= ?",
                (number - _KEEP_ENTRIES,),
            )
            return number

    def commit(
        self, entry: int, installed: Sequence[Installed], at: str, gone: Collection[str] = ()
    ) -> None:
        """Make ``installed`` the committed state and end the entry, both or neither.

        A consent that its deployment did not have before becomes a record of its own. Damaged
        records stay, unless ``gone`` or ``installed`` has their names.
        """
        marks = ", ".join("?" * (_WIDTH + 1))
        with self._transaction() as connection:
            known = self._known_consents(connection)
            staying = {row.name for row in self.damaged()} - set(gone)
            staying -= {one.deployment.name for one in installed}
            for table, column in (("attachments", "deployment"), ("deployments", "name")):
                connection.execute(
                    f"DELETE FROM {table} WHERE {column} NOT IN ({', '.join('?' * len(staying))})",  # noqa: S608 - question marks
                    tuple(staying),
                )
            connection.executemany(
                f"INSERT INTO deployments ({_COLUMNS}) VALUES ({marks})",  # noqa: S608 - the columns are constants above
                [
                    (*deployment_row(one), _consent_number(connection, one, known))
                    for one in installed
                ],
            )
            connection.executemany(
                f"INSERT INTO attachments ({_ATTACHMENTS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - the columns are constants above
                [
                    (one.deployment.name, number, *row)
                    for one in installed
                    for number, row in enumerate(attachment_rows(one.deployment))
                ],
            )
            self._end(connection, entry, "done", at)

    def end(self, entry: int, outcome: str, at: str) -> None:
        """End an entry without a change of state: ``undone`` or ``repaired``."""
        with self._transaction() as connection:
            self._end(connection, entry, outcome, at)

    def unfinished(self) -> tuple[JournalEntry, ...]:
        """Entries that were begun and not ended, oldest first."""
        return self._entries(
            f"SELECT {_JOURNAL} FROM journal WHERE ended_at IS NULL ORDER BY number",  # noqa: S608 - the columns are constants above
            (),
        )

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:
        """The latest entries, newest first."""
        return self._entries(
            f"SELECT {_JOURNAL} FROM journal ORDER BY number DESC LIMIT ?",  # noqa: S608 - the columns are constants above
            (limit,),
        )

    def consents(self, limit: int = 100) -> tuple[ConsentRecord, ...]:
        """The latest records of consent, newest first."""
        return self._records("ORDER BY number DESC LIMIT ?", limit)

    def note_consents(self, records: Sequence[ConsentRecord]) -> None:
        """Add what was refused or exceeded to the record of consents.

        What the latest record of a deployment says already is not repeated, so that a script that
        is stopped every minute does not fill the disk.
        """
        with self._transaction() as connection:
            for record in records:
                latest = self._records(
                    "WHERE deployment = ? ORDER BY number DESC LIMIT 1", record.deployment
                )
                if not any(says_the_same(each, record) for each in latest):
                    consents.add_consent(connection, record)

    def _known_consents(self, connection: sqlite3.Connection) -> dict[str, tuple[int, Consent]]:
        found = {}
        for name, number in connection.execute(
            "SELECT name, consent FROM deployments WHERE consent IS NOT NULL"
        ).fetchall():
            with suppress(DatabaseDamaged):  # then its row is a damaged one
                for record in self._records("WHERE number = ?", number):
                    found[str(name)] = (record.number, record.consent)
        return found

    def _records(self, condition: str, *arguments: str | int) -> tuple[ConsentRecord, ...]:
        query = f"SELECT {consents.COLUMNS} FROM consents {condition}"  # noqa: S608 - constants
        with explaining(self._path):
            rows = self._connection.execute(query, arguments).fetchall()
        try:
            return tuple(consents.read_record(row) for row in rows)
        except (ValueError, TypeError) as error:
            raise self._damaged(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with explaining(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @staticmethod
    def _end(connection: sqlite3.Connection, entry: int, outcome: str, at: str) -> None:
        connection.execute(
            "UPDATE journal SET ended_at = ?, outcome = ? WHERE number = ?", (at, outcome, entry)
        )

    def _entries(self, query: str, arguments: tuple[int, ...]) -> tuple[JournalEntry, ...]:
        with explaining(self._path):
            rows = self._connection.execute(query, arguments).fetchall()
        return tuple(read_entry(row) for row in rows)

    def _rows(self) -> Iterator[Installed | DamagedRow]:
        with explaining(self._path):
            rows = self._connection.execute(_INSTALLED).fetchall()
        for _, group in groupby(rows, key=itemgetter(0)):
            row, *more = group
            attachments = [
                each[_ATTACHMENT + 1 :] for each in (row, *more) if each[_ATTACHMENT] is not None
            ]
            consent: Consent | None = None
            try:
                if row[_WIDTH] is not None:
                    record = consents.read_record(row[_CONSENT:_ATTACHMENT])
                    consent = _given(record, str(row[0]))
                yield read_deployment(row[:_WIDTH], attachments, consent)
            except (ValueError, TypeError) as error:
                yield read_damaged(row[:_WIDTH], attachments, str(error), consent)

    def _damaged(self, error: Exception) -> DatabaseDamaged:
        return DatabaseDamaged(
            f"{self._path} has a row that Skep did not write: {error}",
            hint="restore it from a backup, or move it away and install again; programs that run "
            "keep running, and skep remove --on HOOK removes them",
        )


def _place(one: Installed) -> tuple[HookTarget, int, str]:
    deployment = one.deployment
    return deployment.on, deployment.order, deployment.name


def _consent_number(
    connection: sqlite3.Connection, one: Installed, known: Mapping[str, tuple[int, Consent]]
) -> int | None:
    if one.consent is None:
        return None
    name = one.deployment.name
    number, consent = known.get(name, (0, None))
    if consent == one.consent:
        return number
    record = ConsentRecord("given", name, one.deployment.reference, one.consent)
    return consents.add_consent(connection, record)


def _given(record: ConsentRecord, name: str) -> Consent:
    """The consent in a record; one that was refused, or given for another, allows nothing."""
    if record.outcome != "given" or record.deployment != name:
        raise ValueError(f"record {record.number} of consent is none for {name}")
    return record.consent
