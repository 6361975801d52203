"""The law of removal: taking away always works, and what stays runs on as it runs.

Over every state the fakes can produce: lost and distrusted packages, lost and damaged records and
copies, missing, renamed, moved, hidden and taken interfaces, lost links, foreign and missing maps,
interrupted changes, and combinations of them.
"""

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.deployments import hash_map
from tests.builders.nodes import FakeNode, NodeImage
from tests.fakes.kernel import FakeProgram

from skep.digests import Digest, MalformedDigest
from skep.hooks.table import parse_hook_target
from skep.node.converging.kept_programs import restore_records
from skep.node.converging.recovering import recover
from skep.node.deploying.removing import OthersWouldStop, Removed, remove, remove_all
from skep.node.looking.listing import list_chains

ALL = ("limit", "filter", "count")
Damage = Callable[[FakeNode], None]


def _sql(statement: str) -> Damage:
    def damage(node: FakeNode) -> None:
        connection = sqlite3.connect(node.path)
        connection.execute(statement)
        connection.commit()
        connection.close()

    return damage


def _kept(node: FakeNode, name: str) -> Digest | None:
    for one in node.state.installed():
        if one.deployment.name == name:
            with contextlib.suppress(MalformedDigest):  # it was damaged before
                return Digest.parse(one.kept)
    return None


def _lose_copy(name: str) -> Damage:
    def damage(node: FakeNode) -> None:
        digest = _kept(node, name)
        if digest in node.kept.copies:
            node.kept.lose(digest)

    return damage


def _damage_copy(name: str) -> Damage:
    def damage(node: FakeNode) -> None:
        digest = _kept(node, name)
        if digest in node.kept.copies:
            node.kept.damage(digest)

    return damage


def _foreign_map(name: str) -> Damage:
    def damage(node: FakeNode) -> None:
        for pin in ("counts", "ports"):
            one = node.kernel.maps.get((name, pin))
            if one is not None:
                other = replace(hash_map("other", entries=99), key_size=12)
                node.kernel.maps[name, pin] = replace(one, plan=other, contents={})

    return damage


def _lose_map(name: str) -> Damage:
    def damage(node: FakeNode) -> None:
        node.kernel.maps.pop((name, "counts"), None)

    return damage


def _lose_link(node: FakeNode) -> None:
    node.kernel.link_table.clear()


def _occupy(node: FakeNode) -> None:
    _lose_link(node)
    node.kernel.occupy()


def _rename(node: FakeNode) -> None:
    node.kernel.interface("eth0").name = "wan0"


def _move(node: FakeNode) -> None:
    node.kernel.interface("eth0").namespace = "blue"


def _hide(node: FakeNode) -> None:
    _move(node)
    node.kernel.hidden.add("blue")


def _delete(node: FakeNode) -> None:
    node.kernel.remove_interface("eth0")


def _make_anew(node: FakeNode) -> None:
    _delete(node)
    node.kernel.add_interface("eth0", 2)


def _interrupt(node: FakeNode) -> None:
    node.state.begin("a change", [], "2026-11-23T08:00:00Z")


def _nothing(node: FakeNode) -> None:
    del node


PLACES: tuple[Damage, ...] = (
    _nothing,
    _lose_link,
    _occupy,
    _rename,
    _move,
    _hide,
    _delete,
    _make_anew,
    FakeNode.reboot,
)
DAMAGES: tuple[Damage, ...] = (
    _interrupt,
    *(_lose_copy(name) for name in ALL),
    *(_damage_copy(name) for name in ALL),
    *(_foreign_map(name) for name in ALL),
    *(_lose_map(name) for name in ALL),
    *(_sql(f"UPDATE deployments SET run_on = '[1]' WHERE name = '{name}'") for name in ALL),  # noqa: S608 - constants
    *(_sql(f"UPDATE attachments SET hook = 'later' WHERE deployment = '{name}'") for name in ALL),  # noqa: S608 - constants
    *(_sql(f"DELETE FROM attachments WHERE deployment = '{name}'") for name in ALL),  # noqa: S608 - constants
    *(_sql(f"UPDATE deployments SET kept = '?' WHERE name = '{name}'") for name in ALL),  # noqa: S608 - constants
    *((lambda node, n=name: node.packages.gone.add(f"acme/{n}")) for name in ALL),
    *((lambda node, n=name: node.packages.unsigned.add(f"acme/{n}")) for name in ALL),
)


def _names(node: FakeNode) -> set[str]:
    readable = {one.deployment.name for one in node.state.installed()}
    return readable | {row.name for row in node.state.damaged()}


def _programs(node: FakeNode) -> list[FakeProgram]:
    return [link.program for link in node.kernel.link_table.values() if link.is_attached]


def _remove(node: FakeNode, name: str) -> Removed:
    """As ``skep remove`` does it; with ``--yes`` if it must be."""
    before, names = node.kernel.snapshot(), _names(node)
    try:
        return remove(node.writer(), name)
    except OthersWouldStop as error:
        stopping = set(error.names)
    assert stopping <= set(ALL) - {name}
    assert node.kernel.snapshot() == before, "it said that nothing was changed"
    assert _names(node) == names
    return remove(node.writer(), name, others_may_stop=True)


@cache
def _image() -> NodeImage:
    """A node on which all run."""
    with tempfile.TemporaryDirectory() as directory:
        node = FakeNode(Path(directory))
        for name in ALL:
            node.install(f"acme/{name}", ports="80")
        return NodeImage.of(node)


def _node(directory: str) -> FakeNode:
    return FakeNode(Path(directory), _image())


@settings(deadline=None, max_examples=150)
@given(
    place=st.sampled_from(PLACES),
    damages=st.lists(st.sampled_from(DAMAGES), max_size=5, unique=True),
    order=st.permutations(ALL),
)
def test_whatever_was_damaged_every_deployment_can_be_taken_away(
    place: Damage, damages: list[Damage], order: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = _node(directory)
        for damage in (*damages, place):
            damage(node)
        left = set(ALL)
        for name in order:
            restore_records(node.writer())
            recover(node.writer())
            ran = bool(_programs(node))
            removed = _remove(node, name)
            left.discard(name)
            assert removed.names == (name,)
            assert _names(node) == left, "others stay declared, and it does not"
            assert name not in node.kernel.pinned_maps()
            if not ran:
                assert not _programs(node), "nothing is started by taking something away"
        assert not node.kernel.link_table
        assert node.kernel.retired_maps() == {}
        recover(node.writer())
        assert node.state.unfinished() == (), "nothing keeps the journal open"
        node.close()


@settings(deadline=None, max_examples=60)
@given(
    place=st.sampled_from([_nothing, _rename, _move, _hide]),
    distrusted=st.sets(st.sampled_from(ALL)),
    name=st.sampled_from(ALL),
)
def test_what_stays_runs_on_whatever_became_of_its_package(
    place: Damage, distrusted: set[str], name: str
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = _node(directory)
        for each in distrusted:
            node.packages.unsigned.add(f"acme/{each}")
            node.packages.gone.add(f"acme/{each}")
        place(node)
        maps = {key: one.identity for key, one in node.kernel.maps.items() if key[0] != name}
        node.packages.opened.clear()
        assert remove(node.writer(), name).stopped == ()
        assert node.packages.opened == [], "no package was opened"
        assert {key: one.identity for key, one in node.kernel.maps.items()} == maps
        (view,) = list_chains(node.state, node.kernel)
        assert view.condition == "running"
        assert {one.deployment.name for one in view.members} == set(ALL) - {name}
        node.close()


@settings(deadline=None, max_examples=60)
@given(
    place=st.sampled_from(PLACES),
    damages=st.lists(st.sampled_from(DAMAGES), max_size=4, unique=True),
)
def test_a_hook_can_be_emptied_orphans_included(place: Damage, damages: list[Damage]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = _node(directory)
        for damage in (*damages, place):
            damage(node)
        restore_records(node.writer())
        recover(node.writer())
        if _names(node):
            remove_all(node.writer(), parse_hook_target("xdp:eth0"))
        # A record that says it is on another hook, or lost where it is, is not on this one.
        assert {row.on.hook for row in node.state.damaged()} <= {"later", ""}
        assert node.state.installed() == ()
        assert not _programs(node)
        node.close()


def test_maps_that_nothing_remembers_go_and_touch_no_chain() -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = _node(directory)
        node.kernel.maps["old", "counts"] = node.kernel.maps["limit", "counts"]
        node.kernel.exchanges.clear()
        assert remove(node.writer(), "old").names == ("old",)
        assert node.kernel.exchanges == []
        assert "old" not in node.kernel.pinned_maps()
        node.close()


def test_an_orphan_is_taken_off_by_its_hook() -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = _node(directory)
        program = node.kernel.running(node.kernel.links()[0])
        node.kernel.attach("xdp", node.kernel.identity("eth1"), program)
        program.close()
        removed = remove_all(node.writer(), parse_hook_target("xdp:eth1"))
        assert (removed.names, len(removed.links)) == ((), 1)
        assert node.kernel.runs("eth1") is None
        assert node.kernel.runs("eth0") is not None
        node.close()
