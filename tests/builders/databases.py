"""SQLite files of every age and kind, and processes that die while they open one."""

import os
import signal
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "databases"

Rows = dict[str, list[dict[str, object]]]


def restore(name: str, path: Path) -> Path:
    """Make a fixture (``node-1``) a database again, in WAL mode as Skep leaves it."""
    connection = sqlite3.connect(path)
    connection.executescript((FIXTURES / f"{name}.sql").read_text("utf-8"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return path


def header(path: Path) -> tuple[int, int]:
    """``application_id`` and ``user_version``."""
    connection = sqlite3.connect(path)
    found = tuple(
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    connection.close()
    return found[0], found[1]


def rows(path: Path) -> Rows:
    """Every row of every table, by column name."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    names = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    found = {
        name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]  # noqa: S608 - names of our own tables
        for name in names
    }
    connection.close()
    return found


def shape(path: Path) -> set[tuple[str, str, str]]:
    """Every table, index, view and trigger, with columns where SQL texts may differ."""
    connection = sqlite3.connect(path)
    entries = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    found = set()
    for kind, name, sql in entries:
        text = sql or ""
        if kind == "table":  # ADD COLUMN leaves its own mark in the text
            columns = connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,))
            references = connection.execute("SELECT * FROM pragma_foreign_key_list(?)", (name,))
            text = f"{columns.fetchall()} {references.fetchall()}"
        found.add((str(kind), str(name), text))
    connection.close()
    return found


def return_to(version: int, path: Path) -> None:
    """Make a node's database one of an earlier version: columns and tables of later ones go.

    What a later one moved comes back first: programs and their targets, to version 3.
    """
    with tempfile.TemporaryDirectory() as directory:
        earlier = columns(restore(f"node-{version}", Path(directory) / "earlier.db"))
    connection = sqlite3.connect(path)
    for column in ("program", "hook", "target", "namespace"):
        connection.execute(f"ALTER TABLE deployments ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
        connection.execute(
            f"UPDATE deployments SET {column} = "  # noqa: S608 - a constant
            f"(SELECT {column} FROM attachments WHERE deployment = name)"
        )
    connection.commit()
    for table, found in columns(path).items():
        if table not in earlier:
            connection.execute(f'DROP TABLE "{table}"')
        for column in found - earlier.get(table, found):
            connection.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()


def columns(path: Path) -> dict[str, set[str]]:
    """Names of columns, by table."""
    connection = sqlite3.connect(path)
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c "
        "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
    ):
        found.setdefault(table, set()).add(column)
    connection.close()
    return found


class _Dying(sqlite3.Connection):
    left: int

    def execute(self, *args, **kwargs):  # type: ignore[no-untyped-def]  # a stand-in for the original
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return super().execute(*args, **kwargs)


def killed_while(opening: Callable[[sqlite3.Connection], object], path: Path, at: int) -> bool:
    """Open ``path`` in a process that dies by SIGKILL before its statement number ``at``.

    Returns:
        Whether it died; otherwise it had fewer statements.
    """
    child = os.fork()
    if child == 0:
        try:
            connection = sqlite3.connect(path, isolation_level=None, factory=_Dying)
            connection.left = at
            opening(connection)
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


def together(work: Callable[[], object], processes: int) -> list[int]:
    """Do ``work`` in several processes that begin at the same moment; gives their exit codes."""
    reading, writing = os.pipe()
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            try:
                os.close(writing)
                os.read(reading, 1)  # until the parent lets go of the other end
                work()
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    os.close(reading)
    os.close(writing)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
