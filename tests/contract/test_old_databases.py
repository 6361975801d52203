"""Databases that earlier versions of Skep wrote: they open, and nothing is lost.

A fixture is what a version left on disk, as SQL. Whoever adds a step adds the fixture of the
version before it.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.builders.databases import (
    FIXTURES,
    header,
    killed_while,
    restore,
    rows,
    shape,
    together,
)

from skep.chains.deployment import AttachmentSpec
from skep.hooks.target import HookTarget
from skep.marketplace.registry.store import schema as marketplace
from skep.marketplace.registry.store.catalogue import SqliteCatalogue
from skep.node.records import Scope
from skep.node.store import database as node
from skep.node.store.state import SqliteState
from skep.schema_steps import Schema, bring_up_to_date
from skep.versions import Version


@dataclass(frozen=True)
class Kind:
    name: str
    schema: Schema
    open: Callable[[Path], object]


def open_node(path: Path) -> None:
    SqliteState(path).close()


def open_marketplace(path: Path) -> None:
    SqliteCatalogue(path).close()


KINDS = (
    Kind("node", node.SCHEMA, open_node),
    Kind("marketplace", marketplace.SCHEMA, open_marketplace),
)
OLD = [
    pytest.param(kind, version, id=f"{kind.name}-{version}")
    for kind in KINDS
    for version in range(1, kind.schema.version)
]
# What a step is allowed to add to a table of before.
ADDED = {
    ("node", "deployments"): {"consent", "namespace", "binding", "kept", "may_tail_call"},
    ("node", "journal"): {"scope"},
}
# And what it moved to another table; the test of that step says that it is there.
MOVED = {("node", "deployments"): {"program", "hook", "target", "namespace"}}
ADDED_ROWS = {("marketplace", "schema_version"): [{"version": 2}]}


@pytest.mark.parametrize(("kind", "version"), OLD)
def test_every_version_there_was_is_a_fixture(kind: Kind, version: int) -> None:
    assert (FIXTURES / f"{kind.name}-{version}.sql").exists()


@pytest.mark.parametrize(("kind", "version"), OLD)
def test_an_old_database_opens_and_every_row_is_there(
    tmp_path: Path, kind: Kind, version: int
) -> None:
    path = restore(f"{kind.name}-{version}", tmp_path / "old.db")
    before = rows(path)
    assert all(before[table] for table in before if table != "uploads")
    kind.open(path)
    assert header(path) == (kind.schema.application_id, kind.schema.version)
    after = rows(path)
    for table, kept in before.items():
        added = ADDED.get((kind.name, table), set())
        moved = MOVED.get((kind.name, table), set())
        columns = {column for row in kept for column in row}
        there = [
            {k: v for k, v in row.items() if k in columns or k not in added} for row in after[table]
        ]
        stayed = [{k: v for k, v in row.items() if k not in moved} for row in kept]
        assert there == stayed + ADDED_ROWS.get((kind.name, table), [])


@pytest.mark.parametrize("version", range(1, 4))
def test_programs_and_targets_of_before_are_attachments(tmp_path: Path, version: int) -> None:
    path = restore(f"node-{version}", tmp_path / "old.db")
    before = rows(path)["deployments"]
    open_node(path)
    assert rows(path)["attachments"] == [
        {
            "deployment": row["name"],
            "number": 0,
            "program": row["program"],
            "hook": row["hook"],
            "target": row["target"],
            "namespace": row.get("namespace", ""),
        }
        for row in before
    ]


@pytest.mark.parametrize(("kind", "version"), OLD)
def test_an_old_database_ends_up_like_a_new_one(tmp_path: Path, kind: Kind, version: int) -> None:
    old = restore(f"{kind.name}-{version}", tmp_path / "old.db")
    kind.open(old)
    kind.open(tmp_path / "new.db")
    assert shape(old) == shape(tmp_path / "new.db")


@pytest.mark.parametrize(("kind", "version"), OLD)
def test_a_kill_while_it_is_brought_up_to_date_loses_nothing(
    tmp_path: Path, kind: Kind, version: int
) -> None:
    died = True
    at = 0
    while died:
        path = restore(f"{kind.name}-{version}", tmp_path / f"{at}.db")
        before = rows(path)
        died = killed_while(lambda c, p=path: bring_up_to_date(c, p, kind.schema), path, at)  # type: ignore[misc]  # bound now
        assert {name: len(found) for name, found in rows(path).items() if name in before} in (
            {name: len(found) for name, found in before.items()},
            {
                name: len(found) + len(ADDED_ROWS.get((kind.name, name), []))
                for name, found in before.items()
            },
        )
        kind.open(path)
        assert header(path)[1] == kind.schema.version
        at += 1
    assert at > 5


@pytest.mark.parametrize(("kind", "version"), OLD)
def test_many_processes_open_an_old_database_at_once(
    tmp_path: Path, kind: Kind, version: int
) -> None:
    path = restore(f"{kind.name}-{version}", tmp_path / "old.db")
    assert together(lambda: kind.open(path), 6) == [0] * 6
    assert header(path)[1] == kind.schema.version


def test_deployments_of_before_are_read_and_have_no_consent(tmp_path: Path) -> None:
    with SqliteState(restore("node-1", tmp_path / "old.db")) as state:
        found = {one.deployment.name: one for one in state.installed()}
        assert list(found) == ["ratelimiting", "port-filter", "second"]
        assert {one.consent for one in found.values()} == {None}
        assert dict(found["ratelimiting"].deployment.settings) == {
            "ports": "80,443",
            "rate": "50/s",
        }
        assert found["second"].deployment.accepts_unsigned
        assert [entry.outcome for entry in state.history()] == ["done"] * 6
        assert state.consents() == ()


def test_deployments_of_version_2_keep_their_consents_and_have_no_binding(tmp_path: Path) -> None:
    with SqliteState(restore("node-2", tmp_path / "old.db")) as state:
        found = {one.deployment.name: one for one in state.installed()}
        assert {name for name, one in found.items() if one.consent} == {
            "ratelimiting",
            "port-filter",
        }
        assert {one.binding for one in found.values()} == {None}
        assert {one.deployment.on.namespace for one in found.values()} == {""}
        (entry,) = state.unfinished()
        assert entry.scope == Scope()
        assert state.damaged() == ()


def test_deployments_of_version_3_have_one_attachment_each(tmp_path: Path) -> None:
    with SqliteState(restore("node-3", tmp_path / "old.db")) as state:
        found = {one.deployment.name: one for one in state.installed()}
        assert {name: one.deployment.attachments for name, one in found.items()} == {
            "out": (AttachmentSpec("mark_out", HookTarget("tcx-egress", "eth0")),),
            "ratelimiting": (AttachmentSpec("ratelimiting", HookTarget("xdp", "eth0")),),
            "port-filter": (AttachmentSpec("port_filter", HookTarget("xdp", "eth0")),),
            "second": (AttachmentSpec("port_filter", HookTarget("xdp", "far", "blue")),),
        }
        assert list(found) == ["out", "ratelimiting", "port-filter", "second"]
        assert found["second"].binding is not None
        assert found["second"].binding.link == 32
        assert {name for name, one in found.items() if one.kept} == found.keys() - {"out"}
        assert {name for name, one in found.items() if one.consent} == {
            "ratelimiting",
            "port-filter",
        }
        (entry,) = state.unfinished()
        assert entry.scope.deployments == ("ratelimiting",)
        assert state.damaged() == ()


def test_what_was_read_from_an_old_database_is_committed_as_it_was(tmp_path: Path) -> None:
    path = restore("node-3", tmp_path / "old.db")
    with SqliteState(path) as state:
        before = state.installed()
        state.commit(state.begin("set", [], "2026-12-01T00:00:00Z"), before, "2026-12-01T00:00:00Z")
    with SqliteState(path) as state:
        assert state.installed() == before


@pytest.mark.parametrize(
    ("version", "deployments", "unfinished"), [(1, 3, 0), (2, 3, 1), (3, 4, 1)]
)
def test_looking_at_an_old_database_writes_nothing(
    tmp_path: Path, version: int, deployments: int, unfinished: int
) -> None:
    path = restore(f"node-{version}", tmp_path / "old.db")
    before = path.read_bytes()
    with SqliteState(path, reading=True) as state:
        assert len(state.installed()) == deployments
        assert len(state.unfinished()) == unfinished
    assert path.read_bytes() == before


def test_packages_of_before_are_served_and_found(tmp_path: Path) -> None:
    catalogue = SqliteCatalogue(restore("marketplace-1", tmp_path / "old.db"))
    try:
        assert [one.version for one in catalogue.versions("skep/port-filter")] == [
            Version(1, 0, 0),
            Version(1, 1, 0),
        ]
        (hit,) = catalogue.search(["limits"], 10)
        assert hit.package == "skep/ratelimiting"
        assert hit.version.signed_by.startswith("SHA256:")
    finally:
        catalogue.close()


def test_skep_0_1_0_sees_that_a_marketplace_is_too_new_for_it(tmp_path: Path) -> None:
    """It refuses a table that says more than 1; in the header it does not look."""
    open_marketplace(tmp_path / "new.db")
    connection = sqlite3.connect(tmp_path / "new.db")
    assert connection.execute("SELECT max(version) FROM schema_version").fetchone() == (2,)
    connection.close()
