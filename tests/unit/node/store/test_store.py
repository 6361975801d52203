"""The database: what was committed, and files of every age and kind."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.deployments import deployment

from skep.bytecode.analysis.growth import Granted
from skep.hooks.identity import Binding, InterfaceIdentity
from skep.hooks.target import HookTarget
from skep.node.records import Consent, ConsentRecord, Installed, Measured, Scope
from skep.node.store.state import SqliteState
from skep.schema_steps import DatabaseDamaged, DatabaseTooNew, DatabaseUnavailable

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
        pytest.param("UPDATE attachments SET hook = 'later'", id="hook-of-a-later-version"),
        pytest.param("UPDATE attachments SET target = 'a b'", id="no-target"),
        pytest.param("DELETE FROM attachments", id="no-attachment"),
        pytest.param(
            "INSERT INTO attachments SELECT deployment, 1, 'more', hook, target, namespace"
            " FROM attachments",
            id="attachments-of-a-later-version",
        ),
        pytest.param("UPDATE deployments SET digest = 'sha256:zz'", id="no-digest"),
        pytest.param("UPDATE deployments SET reference = '??'", id="no-reference"),
        pytest.param("UPDATE deployments SET run_on = '[\"later\"]'", id="no-verdict"),
    ],
)
def test_a_damaged_row_is_told_and_never_guessed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "node.db"
    with SqliteState(path) as state:
        state.commit(state.begin("install", [], AT), [ONE], AT)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with SqliteState(path) as state:
        assert state.installed() == ()
        (row,) = state.damaged()
        assert row.name == ONE.deployment.name
        assert row.reason


@pytest.mark.parametrize(
    ("damage", "noun"),
    [
        ("UPDATE deployments SET settings = '{x'", "settings are"),
        ("UPDATE deployments SET binding = '{x'", "binding is"),
        ("UPDATE deployments SET maps = '{x'", "maps are"),
    ],
)
def test_a_column_that_is_no_json_is_named(tmp_path: Path, damage: str, noun: str) -> None:
    path = tmp_path / "node.db"
    with SqliteState(path) as state:
        state.commit(state.begin("install", [], AT), [ONE], AT)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with SqliteState(path) as state:
        assert [row.reason for row in state.damaged()] == [f"its {noun} not valid JSON"]


def test_a_damaged_row_hides_no_other_and_stays_until_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    other = replace(
        ONE, deployment=replace(ONE.deployment, name="other"), kept="sha256:" + "1" * 64
    )
    with SqliteState(path) as state:
        state.commit(state.begin("install", [], AT), [ONE, other], AT)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE deployments SET run_on = '[1]' WHERE name = 'other'")
    connection.close()
    with SqliteState(path) as state:
        assert state.installed() == (ONE,)
        state.commit(state.begin("set", [], AT), [ONE], AT)
        assert [(row.name, row.kept) for row in state.damaged()] == [("other", other.kept)]
        state.commit(state.begin("remove", [], AT), [ONE], AT, gone=["other"])
        assert state.damaged() == ()
        assert state.installed() == (ONE,)


@pytest.mark.parametrize("binding", [None, Binding("boot", InterfaceIdentity(7, 2), 33)])
def test_where_a_deployment_is_and_its_kept_copy_are_stored(
    tmp_path: Path, binding: Binding | None
) -> None:
    path = tmp_path / "node.db"
    on = HookTarget("xdp", "eth0", "blue")
    one = replace(
        ONE, deployment=ONE.deployment.with_target(on), binding=binding, kept="sha256:" + "2" * 64
    )
    with SqliteState(path) as state:
        state.commit(state.begin("install", [], AT), [one], AT)
    with SqliteState(path) as state:
        assert state.installed() == (one,)


def test_the_journal_says_what_a_change_may_touch(tmp_path: Path) -> None:
    scope = Scope((("xdp", InterfaceIdentity(7, 2)),), ("limit",))
    with SqliteState(tmp_path / "node.db") as state:
        state.begin("install", [], AT, scope)
        (entry,) = state.unfinished()
        assert entry.scope == scope


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE journal SET scope = '['",
        "UPDATE journal SET scope = '[]'",
        "UPDATE journal SET steps = '7'",
    ],
)
def test_a_damaged_journal_entry_may_touch_nothing(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "node.db"
    with SqliteState(path) as state:
        state.begin("install", ["step"], AT)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with SqliteState(path) as state:
        (entry,) = state.unfinished()
        assert entry.scope == Scope()


def test_a_directory_that_is_missing_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        SqliteState(tmp_path / "nowhere" / "node.db")


def everything(directory: Path) -> dict[str, object]:
    """Files with their contents, and when the directory was changed."""
    found: dict[str, object] = {each.name: each.read_bytes() for each in directory.iterdir()}
    return found | {"": directory.stat().st_mtime_ns}


def committing(connection: sqlite3.Connection) -> None:
    """The state of ONE, half way through being taken away."""
    connection.execute("PRAGMA cache_size = 1")  # pages are written into the file before the end
    connection.execute("BEGIN")
    connection.execute("DELETE FROM deployments")
    connection.execute("CREATE TABLE filling (text TEXT)")
    connection.executemany("INSERT INTO filling VALUES (?)", [("x" * 1000,)] * 500)


def as_killed(path: Path, into: Path, work: Callable[[sqlite3.Connection], None]) -> Path:
    """What is on the disk if the process is killed in the middle of ``work``."""
    into.mkdir()
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        work(connection)
        for each in path.parent.glob(f"{path.name}*"):
            if not each.name.endswith("-shm"):
                (into / each.name).write_bytes(each.read_bytes())
    finally:
        connection.close()
    return into / path.name


def of_an_older_version(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("UPDATE deployments SET installed_at = 'in the log'")


def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = committed(tmp_path / "node.db", ONE)
    before = everything(tmp_path)
    assert [*before] == ["node.db", ""]
    with SqliteState(path, reading=True) as state:
        assert state.installed() == (ONE,)
        assert state.unfinished() == ()
    assert everything(tmp_path) == before


def test_a_change_that_was_cut_off_reads_as_before_it(tmp_path: Path) -> None:
    whole = committed(tmp_path / "node.db", ONE)
    path = as_killed(whole, tmp_path / "killed", committing)
    assert (tmp_path / "killed" / "node.db-journal").stat().st_size
    assert path.read_bytes() != whole.read_bytes()
    before = everything(path.parent)
    with SqliteState(path, reading=True) as state:
        assert state.installed() == (ONE,)
    assert everything(path.parent) == before
    with SqliteState(path) as state:  # a change clears up
        assert state.installed() == (ONE,)
    assert [*everything(path.parent)] == ["node.db", ""]


def test_the_log_of_an_older_version_is_read_and_goes_with_the_next_change(tmp_path: Path) -> None:
    whole = committed(tmp_path / "node.db", ONE)
    path = as_killed(whole, tmp_path / "killed", of_an_older_version)
    before = everything(path.parent)
    assert [*sorted(before)] == ["", "node.db", "node.db-wal"]
    for reading in (True, False):
        with SqliteState(path, reading=reading) as state:
            assert [one.installed_at for one in state.installed()] == ["in the log"]
        assert (everything(path.parent) == before) == reading
    assert [*everything(path.parent)] == ["node.db", ""]


def test_an_older_database_at_rest_is_read_where_it_is(tmp_path: Path) -> None:
    path = committed(tmp_path / "node.db", ONE)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    before = everything(tmp_path)
    with SqliteState(path, reading=True) as state:
        assert state.installed() == (ONE,)
    assert everything(tmp_path) == before
    with SqliteState(path) as state:
        assert state.installed() == (ONE,)
    assert path.read_bytes()[18:20] == b"\x01\x01"


def test_who_looks_does_not_keep_a_change_from_being_made(tmp_path: Path) -> None:
    path = committed(tmp_path / "node.db", ONE)
    with SqliteState(path, reading=True) as looking, SqliteState(path) as state:
        assert looking.installed() == (ONE,)
        state.commit(state.begin("remove", [], AT), [], AT)
        assert looking.installed() == ()


@pytest.mark.parametrize("damage", ["not a database", "of a newer version"])
def test_what_cannot_be_read_says_that_the_programs_run_on(tmp_path: Path, damage: str) -> None:
    path = committed(tmp_path / "node.db", ONE)
    if damage == "of a newer version":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 999")
    else:
        path.write_bytes(b"not a database" * 1000)
    for reading in (True, False):
        with pytest.raises((DatabaseDamaged, DatabaseTooNew)) as caught:
            SqliteState(path, reading=reading)
        assert "programs that run keep running, and skep remove --on HOOK" in caught.value.hint


# Consent

CONSENT = Consent(
    at=AT,
    person="alice (as root)",
    how="question",
    digest="sha256:ab",
    taxonomy=2,
    shown=(Granted("net.drop", "interface", "possible", "high"),),
    package=(Granted("net.drop", "interface", "declared", "high"),),
)
AGREED = replace(ONE, consent=CONSENT)


def committed(path: Path, *installed: Installed) -> Path:
    with SqliteState(path) as state:
        state.commit(state.begin("install", [], AT), installed, AT)
    return path


def test_a_consent_is_there_in_a_new_process(tmp_path: Path) -> None:
    with SqliteState(committed(tmp_path / "node.db", AGREED)) as state:
        assert state.installed() == (AGREED,)
        assert state.consents() == (
            ConsentRecord("given", "limit", "skep/limit:1.0.0", CONSENT, 1),
        )


def test_a_consent_that_stays_is_no_new_record(tmp_path: Path) -> None:
    path = committed(tmp_path / "node.db", AGREED)
    committed(path, AGREED)
    committed(path, replace(AGREED, consent=replace(CONSENT, person="bob")))
    with SqliteState(path) as state:
        assert [each.consent.person for each in state.consents()] == ["bob", "alice (as root)"]


def test_records_outlive_their_deployment_and_a_new_one_gets_its_own(tmp_path: Path) -> None:
    path = committed(tmp_path / "node.db", AGREED)
    committed(path)
    with SqliteState(path) as state:
        assert state.installed() == ()
        assert len(state.consents()) == 1
    committed(path, AGREED)
    with SqliteState(path) as state:
        assert [each.number for each in state.consents()] == [2, 1]


def test_a_commit_that_fails_leaves_no_consent(tmp_path: Path) -> None:
    path = committed(tmp_path / "node.db")
    with SqliteState(path) as state:
        with pytest.raises(DatabaseDamaged):
            state.commit(state.begin("install", [], AT), [AGREED, AGREED], AT)
        assert state.consents() == ()


def test_what_the_latest_record_says_is_not_repeated(tmp_path: Path) -> None:
    refused = ConsentRecord("refused", "limit", "skep/limit:1.0.0", CONSENT)
    later = replace(refused, consent=replace(CONSENT, at="2026-11-24T08:00:00Z"))
    exceeded = replace(refused, outcome="exceeded")
    with SqliteState(tmp_path / "node.db") as state:
        state.note_consents([refused, later, exceeded, later])
        assert [each.outcome for each in state.consents()] == ["refused", "exceeded", "refused"]


@pytest.mark.parametrize(
    "change", ["UPDATE consents SET outcome = 'given'", "DELETE FROM consents"]
)
def test_records_of_consent_are_never_changed(tmp_path: Path, change: str) -> None:
    path = committed(tmp_path / "node.db", AGREED)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="never"):
        connection.execute(change)
    connection.close()


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(("refused", "limit", "question", "[]"), id="refused"),
        pytest.param(("given", "filter", "question", "[]"), id="for-another"),
        pytest.param(("given", "limit", "question", "[1]"), id="no-permission"),
        pytest.param(("given", "limit", "question", '[["net.drop"]]'), id="half-a-permission"),
        pytest.param(("given", "limit", "question", "{"), id="no-json"),
    ],
)
def test_a_record_that_gives_no_consent_is_told_and_never_guessed(
    tmp_path: Path, record: tuple[str, ...]
) -> None:
    path = committed(tmp_path / "node.db", AGREED)
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO consents (outcome, deployment, how, shown, at, reference, digest, person,"
        " taxonomy, package) VALUES (?, ?, ?, ?, '', '', '', '', 1, '[]')",
        record,
    )
    connection.execute("UPDATE deployments SET consent = 2")
    connection.commit()
    connection.close()
    with SqliteState(path) as state:
        assert state.installed() == ()
        assert [row.name for row in state.damaged()] == ["limit"]
        state.commit(state.begin("install", [], AT), [], AT, gone=["limit"])
        assert state.damaged() == ()
