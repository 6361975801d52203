"""The schema of a node's database, step by step, and opening it: SQLite in WAL mode."""

import sqlite3
from pathlib import Path

from skep.schema_steps import (
    BUSY_SECONDS,
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

# Never edit a step that was released; add one, and a fixture of the version before it.
SCHEMA = Schema(
    "database of a node", APPLICATION_ID, (_DEPLOYMENTS_AND_JOURNAL, _CONSENTS, _PLACES)
)


def open_database(path: Path, *, reading: bool = False) -> sqlite3.Connection:
    """Open the database, create it if it is not there, bring its schema up to date.

    Args:
        reading: write nothing; what an older version of Skep wrote is read from a copy in memory.

    Raises:
        DatabaseDamaged, DatabaseTooNew, DatabaseUnavailable, NotPermitted: see
            :mod:`skep.schema_steps`.
    """
    if not reading:
        make_database_file(path)
    with translating_errors(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            # FULL: a commit must outlive a power cut, or the kernel would be ahead of the journal.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            if not reading:
                bring_up_to_date(connection, path, SCHEMA)
            elif current_version(connection, path, SCHEMA) < SCHEMA.version:
                with_steps = upgraded_copy(connection, path, SCHEMA)
                connection.close()
                return with_steps
        except BaseException:
            connection.close()
            raise
    return connection
