"""The runner of schema steps: whole steps, each once, on files that are ours."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.databases import header, killed_while, rows, together

from skep.errors import NotPermitted
from skep.schema_steps import (
    DatabaseDamaged,
    DatabaseTooNew,
    DatabaseUnavailable,
    Schema,
    bring_up_to_date,
    statements,
    upgraded_copy,
)

OURS = 0x54455354
FIRST = "CREATE TABLE notes (text TEXT) STRICT; INSERT INTO notes VALUES ('one; and a half');"
SECOND = """
    INSERT INTO notes VALUES ('two');
    CREATE TRIGGER kept BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, 'kept'); END;
"""
BROKEN = "INSERT INTO notes VALUES ('half'); INSERT INTO nowhere VALUES (1);"
ONE = Schema("database of tests", OURS, (FIRST,))
TWO = replace(ONE, steps=(FIRST, SECOND))
THREE_BROKEN = replace(ONE, steps=(FIRST, SECOND, BROKEN))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tests.db"


def bring(path: Path, schema: Schema) -> None:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    try:
        bring_up_to_date(connection, path, schema)
    finally:
        connection.close()


def execute(path: Path, *queries: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for query in queries:
        connection.execute(query)
    connection.close()


def texts(path: Path) -> list[object]:
    return [row["text"] for row in rows(path)["notes"]]


def test_an_empty_file_gets_every_step(path: Path) -> None:
    path.touch()
    bring(path, TWO)
    assert header(path) == (OURS, 2)
    assert texts(path) == ["one; and a half", "two"]


def test_an_older_file_gets_only_the_steps_it_misses(path: Path) -> None:
    bring(path, ONE)
    execute(path, "INSERT INTO notes VALUES ('mine')")
    bring(path, TWO)
    assert texts(path) == ["one; and a half", "mine", "two"]


def test_a_file_that_is_up_to_date_is_not_written(path: Path) -> None:
    bring(path, TWO)
    before = path.read_bytes()
    bring(path, TWO)
    assert path.read_bytes() == before


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    bring(path, TWO)
    before = path.read_bytes()
    with pytest.raises(
        DatabaseTooNew, match=r"version 1 or older.*tests\.db has version 2"
    ) as told:
        bring(path, ONE)
    assert "newer one" in told.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "queries",
    [
        pytest.param(["CREATE TABLE theirs (x)"], id="tables"),
        pytest.param(["PRAGMA application_id = 7"], id="application-id"),
        pytest.param(["PRAGMA user_version = 1"], id="version-without-a-name"),
        pytest.param(["PRAGMA application_id = 7", "PRAGMA user_version = 99"], id="newer-too"),
    ],
)
def test_a_database_of_another_program_is_refused_and_left_alone(
    path: Path, queries: list[str]
) -> None:
    execute(path, *queries)
    before = path.read_bytes()
    with pytest.raises(DatabaseDamaged, match="another program"):
        bring(path, TWO)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not a database at all" * 100, id="text"),
        pytest.param(b"SQLite format 3\x00" + bytes(200), id="header-only"),
    ],
)
def test_a_file_that_is_no_database_is_told_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DatabaseDamaged, match=r"tests\.db"):
        bring(path, TWO)
    assert path.read_bytes() == content


def test_a_version_below_zero_is_damage(path: Path) -> None:
    bring(path, ONE)
    execute(path, "PRAGMA user_version = -1")
    with pytest.raises(DatabaseDamaged, match="version -1"):
        bring(path, TWO)


def test_a_failed_step_leaves_the_version_before_it_and_names_step_and_file(path: Path) -> None:
    with pytest.raises(DatabaseDamaged, match=r"step 3 of the database of tests.*tests\.db"):
        bring(path, THREE_BROKEN)
    assert header(path) == (OURS, 2)
    assert texts(path) == ["one; and a half", "two"]
    bring(path, TWO)


def test_a_full_disk_leaves_the_version_before_and_may_be_tried_again(path: Path) -> None:
    bring(path, ONE)
    large = replace(ONE, steps=(FIRST, "INSERT INTO notes VALUES (hex(zeroblob(100000)));"))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(DatabaseUnavailable, match="step 2"):
        bring_up_to_date(connection, path, large)
    connection.close()
    assert header(path) == (OURS, 1)
    bring(path, large)
    assert header(path) == (OURS, 2)


def test_a_file_that_cannot_be_written_is_not_permitted(path: Path) -> None:
    bring(path, ONE)
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    with pytest.raises(NotPermitted, match=r"tests\.db"):
        bring_up_to_date(connection, path, TWO)
    bring_up_to_date(connection, path, ONE)  # nothing to do is nothing to write
    connection.close()


def test_a_lock_that_is_held_is_unavailable(path: Path) -> None:
    bring(path, ONE)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    waiting = sqlite3.connect(path, timeout=0.01, isolation_level=None)
    with pytest.raises(DatabaseUnavailable, match="step 1"):
        bring_up_to_date(waiting, path, TWO)
    holder.execute("ROLLBACK")
    bring_up_to_date(waiting, path, TWO)
    waiting.close()
    holder.close()


def test_no_step_runs_twice_however_many_processes_open_at_once(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"{number}.db"
        if number % 2:
            bring(path, ONE)
        assert together(lambda path=path: bring(path, TWO), 6) == [0] * 6  # type: ignore[misc]  # bound now
        assert texts(path) == ["one; and a half", "two"]


def test_a_kill_at_any_statement_leaves_one_version_or_the_next(path: Path) -> None:
    versions = set()
    for at in range(100):
        path.unlink(missing_ok=True)
        died = killed_while(lambda c: bring_up_to_date(c, path, TWO), path, at)
        _, version = header(path)
        versions.add(version)
        if version:
            assert texts(path) == ["one; and a half", "two"][:version]
        bring(path, TWO)
        assert texts(path) == ["one; and a half", "two"]
        if not died:
            break
    assert not died
    assert versions == {0, 1, 2}


def test_a_copy_for_reading_is_up_to_date_and_the_file_is_not_written(path: Path) -> None:
    bring(path, ONE)
    before = path.read_bytes()
    connection = sqlite3.connect(path, isolation_level=None)
    copy = upgraded_copy(connection, path, TWO)
    assert copy.execute("SELECT count(*) FROM notes").fetchone() == (2,)
    copy.close()
    connection.close()
    assert path.read_bytes() == before


@pytest.fixture
def earlier() -> Schema:
    """A kind whose first version was counted in a table."""
    return replace(
        TWO,
        earlier_version=lambda connection: len(
            connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'old_mark'").fetchall()
        ),
    )


def test_a_file_from_before_it_had_a_name_gets_one(path: Path, earlier: Schema) -> None:
    execute(path, "CREATE TABLE old_mark (x)", *statements(FIRST))
    bring(path, earlier)
    assert header(path) == (OURS, 2)
    assert texts(path) == ["one; and a half", "two"]


def test_a_file_without_that_mark_is_another_programs(path: Path, earlier: Schema) -> None:
    execute(path, "CREATE TABLE notes (x)")
    with pytest.raises(DatabaseDamaged, match="another program"):
        bring(path, earlier)


def test_a_step_without_an_end_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="whole statement"):
        list(statements("CREATE TRIGGER t BEFORE DELETE ON notes BEGIN SELECT 1;"))
