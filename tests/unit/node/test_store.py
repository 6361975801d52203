"""The database: what was committed, and files of every age and kind."""

import sqlite3
from pathlib import Path

import pytest
from tests.builders.deployments import deployment

from skep.node.records import Installed, Measured
from skep.node.store.database import (
    APPLICATION_ID,
    NodeDatabaseDamaged,
    NodeDatabaseTooNew,
    NodeDatabaseUnavailable,
)
from skep.node.store.state import SqliteState

AT = "2026-11-23T08:00:00Z"
ONE = Installed(
    deployment("limit", settings=(("ports", "80,443"), ("rate", "5/s")), maps=("a", "-rodata-0")),
    AT,
    Measured(120, 64),
)

# What version 1 wrote; never edit it, it is on people's disks.
VERSION_1 = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = 1;
CREATE TABLE deployments (
    name TEXT PRIMARY KEY, reference TEXT NOT NULL, digest TEXT NOT NULL, program TEXT NOT NULL,
    hook TEXT NOT NULL, target TEXT NOT NULL, place INTEGER NOT NULL, run_on TEXT NOT NULL,
    settings TEXT NOT NULL, policy TEXT NOT NULL, signer TEXT NOT NULL, maps TEXT NOT NULL,
    installed_at TEXT NOT NULL, verified_instructions INTEGER, stack_bytes INTEGER
) STRICT;
CREATE TABLE journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT, started_at TEXT NOT NULL, command TEXT NOT NULL,
    steps TEXT NOT NULL, ended_at TEXT, outcome TEXT
) STRICT;
CREATE INDEX journal_unfinished ON journal (number) WHERE ended_at IS NULL;
INSERT INTO deployments VALUES ('limit', 'skep/limit:1.0.0', 'sha256:ab', 'limit', 'xdp', 'eth0',
    10, '["pass"]', '[["rate", "5/s"]]', 'insecure-accept-all', '', '["config"]',
    '{AT}', NULL, NULL);
INSERT INTO journal VALUES (1, '{AT}', 'install', '["one"]', NULL, NULL);
"""  # noqa: S608 - constants


def test_what_was_committed_is_there_in_a_new_process(tmp_path: Path) -> None:
    with SqliteState(tmp_path / "node.db") as state:
        state.commit(state.begin("install", ["a step"], AT), [ONE], AT)
    with SqliteState(tmp_path / "node.db") as state:
        assert state.installed() == (ONE,)
        (entry,) = state.history()
        assert (entry.command, entry.steps, entry.outcome) == ("install", ("a step",), "done")


def test_a_begun_entry_is_unfinished_until_it_ends(tmp_path: Path) -> None:
    with SqliteState(tmp_path / "node.db") as state:
        first, second = state.begin("a", [], AT), state.begin("b", [], AT)
        assert [entry.number for entry in state.unfinished()] == [first, second]
        state.end(first, "undone", AT)
        assert [entry.number for entry in state.unfinished()] == [second]


def test_state_and_journal_are_committed_together_or_not_at_all(tmp_path: Path) -> None:
    with SqliteState(tmp_path / "node.db") as state:
        state.commit(state.begin("install", [], AT), [ONE], AT)
        entry = state.begin("install", [], AT)
        with pytest.raises(NodeDatabaseDamaged):
            state.commit(entry, [ONE, ONE], AT)  # two of one name
        assert state.installed() == (ONE,)
        assert [each.number for each in state.unfinished()] == [entry]


def test_deployments_come_by_hook_target_and_order(tmp_path: Path) -> None:
    wanted = [
        Installed(deployment("z", order=1), AT),
        Installed(deployment("a", order=2), AT),
        Installed(deployment("b", on="xdp:eth1", order=0), AT),
    ]
    with SqliteState(tmp_path / "node.db") as state:
        state.commit(state.begin("", [], AT), wanted[::-1], AT)
        assert [one.deployment.name for one in state.installed()] == ["z", "a", "b"]


def test_a_file_of_version_1_opens_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1)
    connection.close()
    with SqliteState(path) as state:
        (one,) = state.installed()
        assert one.deployment.accepts_unsigned
        assert one.deployment.settings == (("rate", "5/s"),)
        assert len(state.unfinished()) == 1


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1.replace("user_version = 1", "user_version = 99"))
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NodeDatabaseTooNew, match="99"):
        SqliteState(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not a database at all" * 100, id="text"),
        pytest.param(b"SQLite format 3\x00" + bytes(200), id="header-only"),
    ],
)
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node.db"
    path.write_bytes(content)
    with pytest.raises(NodeDatabaseDamaged):
        SqliteState(path)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(NodeDatabaseDamaged, match="another program"):
        SqliteState(path)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE deployments SET policy = 'whatever'",
        "UPDATE deployments SET settings = '{'",
        "UPDATE deployments SET settings = '[1]'",
        "UPDATE deployments SET run_on = '[1]'",
        "UPDATE deployments SET maps = 'null'",
    ],
)
def test_a_damaged_row_is_told_and_never_guessed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "node.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1)
        connection.execute(damage)
    connection.close()
    with SqliteState(path) as state, pytest.raises(NodeDatabaseDamaged):
        state.installed()


def test_a_directory_that_is_missing_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(NodeDatabaseUnavailable):
        SqliteState(tmp_path / "nowhere" / "node.db")


def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    SqliteState(path).close()
    before = path.read_bytes()
    with SqliteState(path) as state:
        state.installed()
        state.unfinished()
    assert path.read_bytes() == before
