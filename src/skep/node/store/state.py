"""The committed state of a node in SQLite: deployments, their consents, and the journal."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from skep.chains.deployment import Deployment, TrustDecision
from skep.hooks.table import HookTarget
from skep.node.records import (
    Consent,
    ConsentRecord,
    Installed,
    JournalEntry,
    Measured,
    says_the_same,
)
from skep.node.store import consents
from skep.node.store.database import open_database
from skep.schema_steps import DatabaseDamaged, translating_errors

_COLUMNS = (
    "name, reference, digest, program, hook, target, place, run_on, settings, policy, signer, "
    "maps, installed_at, verified_instructions, stack_bytes, consent"
)
_INSTALLED = f"""
    SELECT {", ".join(f"deployments.{column.strip()}" for column in _COLUMNS.split(","))},
        {", ".join(f"consents.{column.strip()}" for column in consents.COLUMNS.split(","))}
    FROM deployments LEFT JOIN consents ON consents.number = deployments.consent
    ORDER BY hook, target, place, name
"""  # noqa: S608 - the columns are constants
_JOURNAL = "number, started_at, command, steps, ended_at, outcome"
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
        """Committed deployments, ascending by hook target, order and name.

        Raises:
            DatabaseDamaged: a row is not what was written.
        """
        with translating_errors(self._path):
            rows = self._connection.execute(_INSTALLED).fetchall()
        return tuple(self._installed(row) for row in rows)

    def begin(self, command: str, steps: Sequence[str], at: str) -> int:
        """Write a journal entry before anything is done; returns its number."""
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO journal (started_at, command, steps) VALUES (?, ?, ?)",
                (at, command, json.dumps(list(steps))),
            )
            number = cursor.lastrowid or 0
            connection.execute(
                "DELETE FROM journal WHERE ended_at IS NOT NULL AND number <= ?",
                (number - _KEEP_ENTRIES,),
            )
            return number

    def commit(self, entry: int, installed: Sequence[Installed], at: str) -> None:
        """Make ``installed`` the committed state and end the entry, both or neither.

        A consent that its deployment did not have before becomes a record of its own.
        """
        marks = ", ".join("?" * len(_COLUMNS.split(",")))
        with self._transaction() as connection:
            known = self._known_consents(connection)
            connection.execute("DELETE FROM deployments")
            connection.executemany(
                f"INSERT INTO deployments ({_COLUMNS}) VALUES ({marks})",  # noqa: S608 - the columns are constants above
                [(*_row(one), _consent_number(connection, one, known)) for one in installed],
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
            (record,) = self._records("WHERE number = ?", number)
            found[str(name)] = (record.number, record.consent)
        return found

    def _records(self, condition: str, *arguments: str | int) -> tuple[ConsentRecord, ...]:
        query = f"SELECT {consents.COLUMNS} FROM consents {condition}"  # noqa: S608 - constants
        with translating_errors(self._path):
            rows = self._connection.execute(query, arguments).fetchall()
        try:
            return tuple(consents.read_record(row) for row in rows)
        except (ValueError, TypeError) as error:
            raise self._damaged(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with translating_errors(self._path):
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
        with translating_errors(self._path):
            rows = self._connection.execute(query, arguments).fetchall()
        try:
            return tuple(
                JournalEntry(row[0], row[1], row[2], tuple(json.loads(row[3])), row[4], row[5])
                for row in rows
            )
        except (ValueError, TypeError) as error:
            raise self._damaged(error) from error

    def _installed(self, row: tuple[object, ...]) -> Installed:
        name, reference, digest, program, hook, target, place, run_on = row[:8]
        settings, policy, signer, maps, installed_at, instructions, stack, number = row[8:16]
        try:
            return Installed(
                Deployment(
                    name=str(name),
                    reference=str(reference),
                    digest=str(digest),
                    program=str(program),
                    on=HookTarget(str(hook), str(target)),
                    order=int(str(place)),
                    run_on=tuple(_texts(run_on)),
                    settings=tuple((_text(k), _text(v)) for k, v in json.loads(str(settings))),
                    policy=_policy(policy),
                    signer=str(signer),
                    maps=tuple(_texts(maps)),
                ),
                str(installed_at),
                Measured(_number(instructions), _number(stack)),
                None if number is None else _given(consents.read_record(row[16:]), str(name)),
            )
        except (ValueError, TypeError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DatabaseDamaged:
        return DatabaseDamaged(
            f"{self._path} has a row that Skep did not write: {error}",
            hint="restore it from a backup, or move it away and install again",
        )


def _row(one: Installed) -> tuple[object, ...]:
    deployment = one.deployment
    return (
        deployment.name,
        deployment.reference,
        deployment.digest,
        deployment.program,
        deployment.on.hook,
        deployment.on.target,
        deployment.order,
        json.dumps(deployment.run_on),
        json.dumps(deployment.settings),
        deployment.policy,
        deployment.signer,
        json.dumps(deployment.maps),
        one.installed_at,
        one.measured.verified_instructions,
        one.measured.stack_bytes,
    )


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


def _policy(value: object) -> TrustDecision:
    match value:
        case "require-key":
            return "require-key"
        case "insecure-accept-all":
            return "insecure-accept-all"
    raise ValueError(f"unknown policy {value!r}")  # never guess what the owner allowed


def _texts(document: object) -> list[str]:
    return [_text(value) for value in json.loads(str(document))]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))
