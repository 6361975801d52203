import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.builders.nodes import FakeNode, remove

from skep.chains.ordering import At
from skep.node.converging.doctoring import clear_playgrounds, examine, repair
from skep.node.converging.findings import Finding
from skep.node.converging.replaced_maps import MapReplaced
from skep.node.deploying.moving import move
from skep.node.deploying.setting import change_settings
from skep.node.locking import LockUnusable
from skep.node.records import Scope
from skep.node.store.state import SqliteState


class FakePlaygrounds:
    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def left_behind(self) -> tuple[str, ...]:
        return tuple(self.names)

    def clear(self, name: str) -> tuple[str, ...]:
        self.names.remove(name)
        return (f"removed interface {name}",)


NONE = FakePlaygrounds()


def kinds(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.kind for finding in findings]


def test_a_healthy_node_has_no_findings(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    assert examine(node.services(), NONE) == ()


def break_journal(node: FakeNode) -> None:
    node.state.begin("install", [], "2026-11-23T08:00:00Z")


def break_chain(node: FakeNode) -> None:
    (link,) = node.kernel.links()
    node.kernel.detach(link)


def break_maps(node: FakeNode) -> None:
    node.kernel.delete_map("limit", "counts")


def replace_map(node: FakeNode) -> None:
    plan = node.kernel.maps["limit", "ports"].plan
    node.kernel.delete_map("limit", "ports")
    node.kernel.create_map("limit", "ports", plan)


def add_retired(node: FakeNode) -> None:
    node.kernel.retired["limit", "old"] = node.kernel.maps["limit", "counts"]


def add_dead_link(node: FakeNode) -> None:
    node.kernel.add_interface("eth9", 9)
    program = node.kernel.running(node.kernel.links()[0])
    node.kernel.attach("xdp", node.kernel.identity("eth9"), program)
    program.close()
    node.kernel.remove_interface("eth9")


def rename(node: FakeNode) -> None:
    node.kernel.interface("eth0").name = "wan0"


def make_anew(node: FakeNode) -> None:
    node.kernel.remove_interface("eth0")
    node.kernel.add_interface("eth0", 9)


def damage_record(node: FakeNode) -> None:
    with sqlite3.connect(node.path) as connection:
        connection.execute("UPDATE deployments SET run_on = '[1]'")
    connection.close()


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (break_journal, "change interrupted"),
        (break_chain, "chain not as declared"),
        (break_maps, "map missing"),
        (replace_map, "map replaced"),
        (add_retired, "retired maps"),
        (add_dead_link, "link attached to nothing"),
        (rename, "target renamed"),
        (make_anew, "target deleted"),
    ],
)
def test_each_damage_is_found_and_repaired(node: FakeNode, damage, kind: str) -> None:  # type: ignore[no-untyped-def]
    node.install("acme/limit")
    damage(node)
    before = node.kernel.snapshot()
    assert kinds(examine(node.services(), NONE)) == [kind]
    assert node.kernel.snapshot() == before
    (finding,) = repair(node.writer(), NONE)
    assert finding.repaired
    assert not finding.problem
    assert examine(node.services(), NONE) == ()
    node.consistent()


def test_the_map_in_use_is_put_back_with_what_is_in_it(node: FakeNode) -> None:
    node.install("acme/limit", ports="80")
    before = node.kernel.pinned_map_id("limit", "ports")
    replace_map(node)
    repair(node.writer(), NONE)
    assert node.kernel.pinned_map_id("limit", "ports") == before
    assert set(node.kernel.read_entries("limit", "ports")) == {b"\x50\0\0\0"}


# What the next start or change would fail at ----------------------------------------------------


@pytest.mark.parametrize("damaged", [True, False])
def test_a_lost_copy_is_kept_anew(node: FakeNode, damaged: bool) -> None:  # noqa: FBT001 - a case
    node.install("acme/limit")
    (digest,) = node.kept.copies
    node.kept.damage(digest) if damaged else node.kept.lose(digest)
    assert kinds(examine(node.services(), NONE)) == ["copy lost"]
    (finding,) = repair(node.writer(), NONE)
    assert finding.repaired
    assert node.kept.kept(digest)
    node.consistent()


def test_a_package_that_could_not_be_started_again_is_told(node: FakeNode) -> None:
    node.install("acme/limit")
    node.packages.gone.add("acme/limit")
    (finding,) = repair(node.writer(), NONE)
    assert finding.kind == "package unusable"
    assert finding.is_open
    assert "no acme/limit" in finding.text
    assert node.kernel.runs() is not None


def test_trust_that_others_can_change_is_told(node: FakeNode) -> None:
    node.packages.unsafe = True
    (finding,) = examine(node.services(), NONE)
    assert (finding.kind, finding.is_open) == ("trust unsafe", True)


def test_a_lock_that_nobody_can_hold_is_told_and_hides_nothing(node: FakeNode) -> None:
    node.install("acme/limit")
    break_chain(node)
    doubt = LockUnusable("could not open the lock file", hint="the file must be a plain one")
    services = replace(node.services(), doubt=doubt)
    assert kinds(examine(services, NONE)) == ["lock unusable", "chain not as declared"]


def test_pages_of_the_database_that_were_overwritten_are_told(node: FakeNode) -> None:
    node.install("acme/limit")
    for number in range(400):
        node.state.begin("x" * 100, ["step"], f"{number}")
        node.state.end(number + 1, "done", "2026-11-23T08:00:00Z")
    size = node.path.stat().st_size
    with node.path.open("r+b") as file:
        file.seek(size - 3 * 4096)
        file.write(b"\xff" * 4096)
    node.state.close()
    with SqliteState(node.path, reading=True) as state:
        found = examine(replace(node.services(), state=state), NONE)
    assert "database damaged" in kinds(found)
    assert "skep remove --on HOOK" in found[0].text


def test_two_maps_of_one_name_are_not_guessed(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    for name in ("limit", "filter"):
        plan = node.kernel.maps[name, "ports"].plan
        node.kernel.delete_map(name, "ports")
        node.kernel.create_map(name, "ports", plan)
    before = node.kernel.snapshot()
    found = repair(node.writer(), NONE)
    assert {one.subject: one.remedy and one.remedy.command for one in found} == {
        "limit/ports": "skep remove limit",
        "filter/ports": "skep remove filter",
    }
    assert node.kernel.snapshot() == before


CHANGES: dict[str, Callable[[FakeNode], object]] = {
    "set": lambda node: change_settings(node.writer(), "limit", {"ports": "9"}),
    "move": lambda node: move(node.writer(), "filter", At(1)),
    "install": lambda node: node.install("acme/third"),
}


@pytest.mark.parametrize("doing", CHANGES)
def test_a_replaced_map_is_neither_written_nor_run_with(node: FakeNode, doing: str) -> None:
    node.install("acme/limit", ports="80")
    node.install("acme/filter")
    replace_map(node)
    before = node.kernel.snapshot()
    with pytest.raises(MapReplaced):
        CHANGES[doing](node)
    assert node.kernel.snapshot() == before
    assert node.state.unfinished() == ()


def test_what_has_a_replaced_map_can_be_removed(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    replace_map(node)
    remove(node.writer(), "limit")
    assert node.names() == ["filter"]
    node.consistent()


def test_a_damaged_record_is_restored_from_its_kept_copy(node: FakeNode) -> None:
    node.install("acme/limit")
    (before,) = node.state.installed()
    damage_record(node)
    assert "record damaged" in kinds(examine(node.services(), NONE))
    found = repair(node.writer(), NONE)
    assert all(not finding.is_open for finding in found if finding.kind == "record damaged")
    (after,) = node.state.installed()
    assert (after.deployment, after.kept) == (before.deployment, before.kept)
    assert after.consent == before.consent
    assert node.kernel.runs() is not None


def test_a_damaged_record_without_its_copy_stays_and_names_the_command(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    damage_record(node)
    node.kept.copies.clear()
    before = node.kernel.snapshot()
    found = [one for one in repair(node.writer(), NONE) if one.kind == "record damaged"]
    assert [one.subject for one in found] == ["filter", "limit"]
    assert all(one.problem for one in found)
    assert node.kernel.snapshot() == before


def test_what_nothing_declares_is_named_with_its_command_and_left_alone(node: FakeNode) -> None:
    node.install("acme/limit")
    program = node.kernel.running(node.kernel.links()[0])
    node.kernel.attach("xdp", node.kernel.identity("eth1"), program)
    program.close()
    node.kernel.maps["stranger", "x"] = node.kernel.maps["limit", "counts"]
    before = node.kernel.snapshot()
    found = repair(node.writer(), NONE)
    assert {one.kind: one.remedy and one.remedy.command for one in found} == {
        "link without deployment": "skep remove --on xdp:eth1",
        "maps without deployment": "skep remove stranger",
    }
    assert all(one.is_open for one in found)
    assert node.kernel.snapshot() == before


def test_a_link_that_an_unfinished_change_names_is_taken_away(node: FakeNode) -> None:
    node.install("acme/limit")
    identity = node.kernel.identity("eth1")
    program = node.kernel.running(node.kernel.links()[0])
    node.kernel.attach("xdp", identity, program)
    program.close()
    scope = Scope((("xdp", identity),))
    node.state.begin("install", [], "2026-11-23T08:00:00Z", scope)
    repair(node.writer(), NONE)
    assert node.kernel.runs("eth1") is None
    node.consistent()


def test_an_interface_that_went_is_waited_for_and_its_deployment_kept(node: FakeNode) -> None:
    node.install()
    node.kernel.remove_interface("eth0")
    assert kinds(repair(node.writer(), NONE)) == ["target missing"]
    assert node.names() == ["limit"]
    node.kernel.add_interface("eth0", 9)
    assert kinds(repair(node.writer(), NONE)) == ["target deleted"]
    assert node.kernel.runs() is not None
    node.consistent()


def test_a_new_interface_of_the_name_is_left_to_others_who_are_on_it(node: FakeNode) -> None:
    node.install()
    make_anew(node)
    node.kernel.occupy()
    (finding,) = repair(node.writer(), NONE)
    assert finding.kind == "hook taken"
    assert node.kernel.runs() is None


def test_what_is_not_visible_from_here_is_not_called_gone(node: FakeNode) -> None:
    node.kernel.add_interface("eth0", 2, "blue")
    node.install(on="xdp:eth0@blue")
    node.kernel.hidden.add("blue")
    assert kinds(examine(node.services(), NONE)) == []  # it runs: its link says so
    (link,) = node.kernel.links()
    node.kernel.detach(link)
    (finding,) = repair(node.writer(), NONE)
    assert finding.kind == "target not visible"
    assert finding.is_information


def test_another_interface_that_has_the_name_of_a_hidden_one_is_told(node: FakeNode) -> None:
    node.install()
    node.kernel.interface("eth0").namespace = "blue"
    node.kernel.hidden.add("blue")
    node.kernel.add_interface("eth0", 9)
    (finding,) = repair(node.writer(), NONE)
    assert (finding.kind, finding.is_open) == ("target name taken", True)
    assert "another one has the name" in finding.text
    assert node.kernel.runs() is None


def test_a_namespace_of_an_earlier_boot_is_not_looked_for_by_its_cookie(node: FakeNode) -> None:
    node.kernel.add_interface("eth0", 2, "netns:7")
    node.install(on="xdp:eth0@netns:7")
    node.kernel.reboot()
    (finding,) = repair(node.writer(), NONE)
    assert finding.kind == "target missing"
    assert finding.remedy is not None
    assert finding.remedy.command == "skep remove limit"
    assert "earlier boot" in finding.text
    assert node.kernel.runs(namespace="netns:7") is None


def test_a_name_that_lasts_is_not_given_up_for_a_cookie(node: FakeNode) -> None:
    node.install()
    node.kernel.interface("eth0").namespace = "netns:7"
    (finding,) = repair(node.writer(), NONE)
    assert (finding.kind, finding.is_information) == ("target moved", True)
    assert node.names("xdp:eth0") == ["limit"]


def test_names_that_were_exchanged_are_recorded_in_one_step(node: FakeNode) -> None:
    node.install("acme/limit", on="xdp:eth0")
    node.install("acme/filter", on="xdp:eth1")
    first, second = node.kernel.interface("eth0"), node.kernel.interface("eth1")
    first.name, second.name = "eth1", "eth0"
    assert all(finding.repaired for finding in repair(node.writer(), NONE))
    assert (node.names("xdp:eth1"), node.names("xdp:eth0")) == (["limit"], ["filter"])
    node.consistent()


def test_a_running_chain_with_a_damaged_record_is_not_proposed_for_removal(node: FakeNode) -> None:
    node.install("acme/limit")
    damage_record(node)
    stray = [each for each in examine(node.services(), NONE) if each.subject.startswith("xdp")]
    assert [each.remedy and each.remedy.command for each in stray] == ["skep doctor --repair"]


def test_a_hook_somebody_took_is_told_and_left_alone(node: FakeNode) -> None:
    node.install()
    break_chain(node)
    node.kernel.occupy(by="program 7 (theirs)")
    (finding,) = repair(node.writer(), NONE)
    assert finding.kind == "hook taken"
    assert "theirs" in finding.text
    assert not finding.repaired


def test_unsigned_deployments_are_named_each_time(node: FakeNode) -> None:
    from tests.builders.nodes import request

    from skep.node.deploying.installing import install

    install(node.writer(), replace(request(), policy="insecure-accept-all"))
    (finding,) = examine(node.services(), NONE)
    assert finding.kind == "unsigned accepted"
    assert finding.is_information


def test_what_cannot_be_repaired_says_why_and_stops_nothing(node: FakeNode) -> None:
    node.install()
    break_chain(node)
    add_retired(node)
    node.packages.gone.add("acme/limit")
    first, second, third = repair(node.writer(), NONE)
    assert third.kind == "package unusable"
    assert first.problem
    assert not first.repaired
    assert second.repaired


def test_playgrounds_of_killed_demonstrations_are_cleared() -> None:
    playgrounds = FakePlaygrounds("skep-demo-1")
    (finding,) = clear_playgrounds(playgrounds)
    assert finding.repaired == "removed interface skep-demo-1"
    assert playgrounds.names == []
