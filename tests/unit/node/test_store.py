"""The database: what was committed, and files of every age and kind."""

import sqlite3
from pathlib import Path

import pytest
from tests.builders.deployments import deployment

from skep.node.records import Installed, Measured
from skep.node.store.state import SqliteState
from skep.schema_steps import DatabaseDamaged, DatabaseUnavailable

AT = "2026-11-23T08:00:00Z"
ONE = Installed(
    deployment("limit", settings=(("ports", "80,443"), ("rate", "5/s")), maps=("a", "-rodata-0")),
    AT,
    Measured(120, 64),
)


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
        with pytest.raises(DatabaseDamaged):
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
    with SqliteState(path) as state:
        state.commit(state.begin("install", [], AT), [ONE], AT)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with SqliteState(path) as state, pytest.raises(DatabaseDamaged):
        state.installed()


def test_a_directory_that_is_missing_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        SqliteState(tmp_path / "nowhere" / "node.db")


def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    SqliteState(path).close()
    before = path.read_bytes()
    with SqliteState(path) as state:
        state.installed()
        state.unfinished()
    assert path.read_bytes() == before
