"""Where declared chains are: names are for people, identities are compared."""

from dataclasses import replace

import pytest
from tests.builders.nodes import FakeNode
from tests.fakes.faults import Fault, PlannedFailure
from tests.unit.node.converging.test_doctoring import NONE, kinds

from skep.chains.planning import HookOccupied, HookTargetHidden, HookTargetMissing
from skep.hooks.table import parse_hook_target
from skep.node.converging.doctoring import examine, repair
from skep.node.deploying.removing import remove, remove_all
from skep.node.deploying.setting import change_settings
from skep.node.deploying.targeting import NameMoved
from skep.node.looking.listing import NoSuchDeployment, list_installed, view_chain

LONG = "uplink-" + "n" * 120


def conditions(node: FakeNode) -> dict[str, str]:
    return {one.deployment.name: one.condition for one in list_installed(node.state, node.kernel)}


def test_an_alternative_name_is_the_same_hook(node: FakeNode) -> None:
    node.kernel.interface("eth0").others.add(LONG)
    node.install("acme/limit", on=f"xdp:{LONG}")
    node.install("acme/filter", on="xdp:eth0")
    assert len(node.kernel.link_table) == 1
    assert node.names(f"xdp:{LONG}") == ["limit", "filter"]
    assert view_chain(node.state, node.kernel, parse_hook_target("xdp:eth0")).members
    node.consistent()


def test_a_chain_follows_the_renaming_of_its_interface(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.interface("eth0").name = "wan0"
    assert conditions(node) == {"limit": "running"}
    (listed,) = list_installed(node.state, node.kernel)
    assert str(listed.called) == "xdp:wan0"
    change_settings(node.writer(), "limit", {"constant": "3"})
    assert conditions(node) == {"limit": "running"}
    node.install("acme/filter", on="xdp:wan0")
    assert len(node.kernel.link_table) == 1
    remove(node.writer(), "limit")
    remove(node.writer(), "filter")
    assert node.kernel.link_table == {}


def test_a_new_interface_of_the_old_name_is_another_one(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.interface("eth0").name = "wan0"
    node.kernel.add_interface("eth0", 9)
    with pytest.raises(NameMoved, match="wan0"):
        node.install("acme/filter", on="xdp:eth0")
    assert node.kernel.runs("eth0") is None
    repair(node.writer(), NONE)
    assert node.names("xdp:wan0") == ["limit"]
    node.install("acme/filter", on="xdp:eth0")
    assert node.kernel.runs("eth0") is not None
    assert node.kernel.runs("wan0") is not None
    node.consistent()


def test_an_interface_moved_to_another_namespace_keeps_its_chain(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.interface("eth0").namespace = "blue"
    (listed,) = list_installed(node.state, node.kernel)
    assert (listed.condition, str(listed.called)) == ("running", "xdp:eth0@blue")
    assert kinds(examine(node.services(), NONE)) == ["target renamed"]
    node.kernel.hidden.add("blue")
    assert conditions(node) == {"limit": "running"}, "its link says so, seen or not"
    change_settings(node.writer(), "limit", {"constant": "3"})
    remove(node.writer(), "limit")
    assert node.kernel.link_table == {}


def test_the_same_index_in_two_namespaces_is_two_interfaces(node: FakeNode) -> None:
    node.kernel.add_interface("eth0", 2, "blue")
    node.install("acme/limit", on="xdp:eth0")
    node.install("acme/filter", on="xdp:eth0@blue")
    assert len(node.kernel.link_table) == 2
    assert conditions(node) == {"limit": "running", "filter": "running"}
    remove(node.writer(), "limit")
    assert node.kernel.runs("eth0", namespace="blue") is not None
    node.consistent()


def test_a_name_typed_inside_a_namespace_is_one_of_that_namespace(node: FakeNode) -> None:
    node.kernel.add_interface("eth0", 2, "blue")
    node.kernel.namespace = "blue"
    node.install("acme/limit", on="xdp:eth0")
    node.install("acme/filter", on="xdp:eth0@host")
    assert node.names("xdp:eth0@blue") == ["limit"]
    assert node.names("xdp:eth0") == ["filter"]


def test_a_deleted_interface_is_waited_for_and_bound_anew_only_when_asked(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.remove_interface("eth0")
    node.kernel.add_interface("eth0", 2)  # the same name, even the same index
    assert conditions(node) == {"limit": "detached"}
    with pytest.raises(HookTargetMissing, match="skep doctor --repair attaches"):
        change_settings(node.writer(), "limit", {"constant": "3"})
    assert node.kernel.runs("eth0") is None
    node.install("acme/filter")
    assert conditions(node) == {"limit": "running", "filter": "running"}
    node.consistent()


def test_a_binding_of_an_earlier_boot_is_none(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.reboot()
    assert conditions(node) == {"limit": "not running"}
    assert kinds(repair(node.writer(), NONE)) == ["chain not as declared"]
    assert conditions(node) == {"limit": "running"}
    node.consistent()


def test_two_names_that_turn_out_to_be_one_interface_never_make_two_chains(node: FakeNode) -> None:
    node.install("acme/limit", on="xdp:eth0")
    node.install("acme/filter", on="xdp:eth1")
    node.kernel.reboot()
    node.kernel.remove_interface("eth1")
    node.kernel.interface("eth0").others.add("eth1")
    found = repair(node.writer(), NONE)
    assert "target shared" in kinds(found)
    assert sorted(conditions(node).values()) == ["running", "shared"]
    assert len(node.kernel.link_table) == 1


def test_taking_everything_off_a_name_touches_only_what_has_it(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.interface("eth0").namespace = "blue"
    node.kernel.hidden.add("blue")
    node.kernel.add_interface("eth0", 9)
    with pytest.raises(NoSuchDeployment):
        remove_all(node.writer(), parse_hook_target("xdp:eth0"))
    assert node.names() == ["limit"]
    assert len(node.kernel.link_table) == 1
    with pytest.raises(NameMoved, match="not visible from here"):
        node.install("acme/filter")
    remove(node.writer(), "limit")
    assert node.kernel.link_table == {}


def test_taking_everything_off_a_name_includes_what_waits_for_it(node: FakeNode) -> None:
    node.install("acme/limit", on="xdp:eth0")
    node.install("acme/filter", on="xdp:eth1")
    node.kernel.remove_interface("eth0")
    node.kernel.interface("eth1").others.add("eth0")
    removed = remove_all(node.writer(), parse_hook_target("xdp:eth0"))
    assert set(removed.names) == {"limit", "filter"}
    node.consistent()


def test_an_alternative_name_that_still_leads_there_is_no_renaming(node: FakeNode) -> None:
    node.kernel.interface("eth0").others.add("uplink")
    node.install("acme/limit", on="xdp:uplink")
    assert examine(node.services(), NONE) == ()


def test_an_orphan_of_ours_is_in_the_way_until_somebody_takes_it_away(node: FakeNode) -> None:
    node.install("acme/limit")
    program = node.kernel.running(node.kernel.links()[0])
    node.kernel.attach("xdp", node.kernel.identity("eth1"), program)
    program.close()
    with pytest.raises(HookOccupied, match="skep remove --on xdp:eth1"):
        node.install("acme/filter", on="xdp:eth1")


def test_what_is_not_there_and_what_cannot_be_seen_are_told_apart(node: FakeNode) -> None:
    node.kernel.add_interface("eth0", 2, "blue")
    with pytest.raises(HookTargetMissing, match="eth7"):
        node.install(on="xdp:eth7")
    with pytest.raises(HookTargetMissing, match="red"):
        node.install(on="xdp:eth0@red")
    node.kernel.hidden.add("blue")
    with pytest.raises(HookTargetHidden, match="not visible"):
        node.install(on="xdp:eth0@blue")


def test_set_compares_with_what_the_map_contains(node: FakeNode) -> None:
    node.install("acme/limit", rate="5")
    node.kernel.write_entries("limit", "config", {bytes(4): bytes(8)}, [])
    change_settings(node.writer(), "limit", {"rate": "5"})
    assert node.kernel.read_entries("limit", "config") == {bytes(4): (5).to_bytes(8, "little")}


def test_without_a_binding_the_link_that_runs_the_chain_is_followed(node: FakeNode) -> None:
    """As after an upgrade from a version that wrote none."""
    node.install("acme/limit")
    _forget_bindings(node)
    node.kernel.interface("eth0").name = "wan0"
    node.kernel.add_interface("eth0", 9)
    assert conditions(node) == {"limit": "running"}
    (listed,) = list_installed(node.state, node.kernel)
    assert str(listed.called) == "xdp:wan0"
    change_settings(node.writer(), "limit", {"constant": "3"})
    assert len(node.kernel.link_table) == 1
    (one,) = node.state.installed()
    assert one.binding is not None
    assert node.kernel.runs("eth0") is None
    node.consistent()


def test_a_chain_that_was_attached_again_by_an_undo_is_followed(node: FakeNode) -> None:
    node.install("acme/limit")
    with pytest.raises(PlannedFailure):
        remove(node.writer(Fault(2, kills=False)), "limit")  # after it was detached
    (one,), (link,) = node.state.installed(), node.kernel.links()
    assert one.binding is not None
    assert one.binding.link != link.link, "it was attached again"
    node.kernel.interface("eth0").namespace = "blue"
    (listed,) = list_installed(node.state, node.kernel)
    assert (listed.condition, str(listed.called)) == ("running", "xdp:eth0@blue")
    remove(node.writer(), "limit")
    assert node.kernel.link_table == {}


def test_without_a_binding_or_a_link_names_count(node: FakeNode) -> None:
    node.install("acme/limit")
    _forget_bindings(node)
    node.kernel.link_table.clear()
    assert conditions(node) == {"limit": "not running"}
    repair(node.writer(), NONE)
    assert conditions(node) == {"limit": "running"}


def test_a_new_name_is_recorded_with_where_it_is_now(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.interface("eth0").namespace = "blue"
    repair(node.writer(), NONE)
    node.kernel.link_table.clear()
    assert conditions(node) == {"limit": "not running"}
    node.kernel.hidden.add("blue")
    assert conditions(node) == {"limit": "not visible"}


def _forget_bindings(node: FakeNode) -> None:
    entry = node.state.begin("forget bindings", [], "2026-11-23T08:00:00Z")
    after = [replace(one, binding=None) for one in node.state.installed()]
    node.state.commit(entry, after, "2026-11-23T08:00:00Z")
