"""What is shown of chains beside their members: neighbours, the mode, and what is not known."""

import pytest
from tests.builders.nodes import FakeNode, request
from tests.unit.node.converging.test_doctoring import NONE, kinds

from skep.hooks.table import parse_hook_target
from skep.node.converging.doctoring import examine
from skep.node.deploying.previewing import preview
from skep.node.looking.listing import (
    ChainView,
    list_installed,
    list_undeclared_chains,
    view_chain,
)
from skep.node.occupants import order_lines

TCX = "tcx-ingress:eth0"
MISSING = "CAP_SYS_ADMIN is missing"


def view(node: FakeNode, on: str = "xdp:eth0") -> ChainView:
    return view_chain(node.state, node.kernel, parse_hook_target(on))


def occupy(node: FakeNode, name: str = "classify") -> None:
    node.kernel.occupy(hook="tcx-ingress", by=name)


def install(node: FakeNode) -> None:
    node.packages.hooks["acme/limit"] = "tcx-ingress"
    node.install("acme/limit", on=TCX)


def test_programs_of_others_are_shown_in_order(node: FakeNode) -> None:
    occupy(node, "first")
    install(node)
    occupy(node, "last")
    there = view(node, TCX).occupants
    assert there is not None
    assert [(each.name, each.is_ours) for each in there] == [
        ("first", False),
        (there[1].name, True),
        ("last", False),
    ]
    assert there[1].name.startswith("skep_")


def test_programs_of_others_are_shown_where_none_is_ours(node: FakeNode) -> None:
    occupy(node)
    there = view(node, TCX).occupants
    assert there is not None
    assert [(each.name, each.is_ours) for each in there] == [("classify", False)]


def test_the_doctor_tells_who_may_decide_before_a_chain(node: FakeNode) -> None:
    occupy(node)
    install(node)
    (finding,) = examine(node.services(), NONE)
    assert finding.is_information
    assert "runs after program 1 (classify), which may decide first" in finding.text


def test_the_doctor_has_nothing_to_tell_about_who_comes_after(node: FakeNode) -> None:
    install(node)
    occupy(node)
    assert examine(node.services(), NONE) == ()


def test_a_chain_of_ours_that_nothing_declares_is_shown(node: FakeNode) -> None:
    node.install("acme/limit")
    _forget_everything(node)
    found = view(node)
    assert (found.condition, found.members) == ("undeclared", ())
    assert found.running
    assert [each.on for each in list_undeclared_chains(node.state, node.kernel)] == [found.on]


def test_the_mode_of_a_running_chain_is_told_on_demand(node: FakeNode) -> None:
    node.install("acme/limit")
    assert view(node).remark == ""
    node.kernel.interface("eth0").is_generic = True
    assert view(node).remark == "generic mode"
    (listed,) = list_installed(node.state, node.kernel, with_remarks=True)
    assert listed.remark == "generic mode"


@pytest.mark.parametrize("is_bound", [True, False])
def test_what_may_not_be_read_is_not_known(node: FakeNode, *, is_bound: bool) -> None:
    node.install("acme/limit")
    if not is_bound:
        node.kernel.boot_id += "-another"
    node.kernel.lacking = MISSING
    found = view(node)
    assert (found.condition, found.reason, found.running) == ("not known", MISSING, "")
    assert found.occupants is None
    (listed,) = list_installed(node.state, node.kernel)
    assert (listed.condition, listed.reason) == ("not known", MISSING)


def test_a_hook_on_which_a_link_of_ours_may_be_is_not_known_either(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.lacking = MISSING
    assert view(node, "xdp:eth1").condition == "not known"
    _forget_everything(node)
    assert view(node, "xdp:eth1").condition == "not known"


def test_what_may_not_be_read_needs_no_mending(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.lacking = MISSING
    found = examine(node.services(), NONE)
    assert "chain not known" in kinds(found)
    assert not any(one.is_open for one in found)
    assert MISSING in found[0].text


def test_the_cookie_of_a_namespace_with_a_name_is_declared_by_the_name(node: FakeNode) -> None:
    node.kernel.add_interface("eth0", 2, "blue")
    node.kernel.identity("eth0", "blue")  # gives the namespace its cookie
    node.install("acme/limit", on="xdp:eth0@netns:1")
    node.install("acme/filter", on="xdp:eth0@netns:2")
    assert node.names("xdp:eth0") == ["limit"]
    assert node.names("xdp:eth0@blue") == ["filter"]
    assert str(view(node, "xdp:eth1@netns:1").on) == "xdp:eth1"


class _Trust:
    def trusted_since(self, *_: str) -> None:
        return None


def test_the_preview_tells_who_may_decide_before(node: FakeNode) -> None:
    occupy(node)
    node.packages.hooks["acme/limit"] = "tcx-ingress"
    found = preview(node.services(), _Trust(), request(on=TCX))
    assert order_lines(found.occupants) == [
        "runs after program 1 (classify), which may decide first"
    ]


def _forget_everything(node: FakeNode) -> None:
    entry = node.state.begin("forget", [], "2026-11-23T08:00:00Z")
    node.state.commit(entry, [], "2026-11-23T08:00:00Z")
