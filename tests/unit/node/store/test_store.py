"""The database: what was committed, and files of every age and kind."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.deployments import deployment

from skep.bytecode.analysis.growth import Granted
from skep.hooks.identity import Binding, InterfaceIdentity
from skep.hooks.target import HookTarget
from skep.node.records import Consent, ConsentRecord, Installed, Measured, Scope
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
        pytest.param("UPDATE deployments SET hook = 'later'", id="hook-of-a-later-version"),
        pytest.param("UPDATE deployments SET target = 'a b'", id="no-target"),
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
        ONE, deployment=replace(ONE.deployment, on=on), binding=binding, kept="sha256:" + "2" * 64
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


def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    SqliteState(path).close()
    before = path.read_bytes()
    with SqliteState(path) as state:
        state.installed()
        state.unfinished()
    assert path.read_bytes() == before


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
