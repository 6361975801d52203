"""What commands say about who else is on a hook, how a chain is attached, and what is not known."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from tests.builders.kernel_programs import program, returning
from tests.builders.live_node import LiveNode, live_node

from skep.hooks.table import find_hook
from skep.hooks.target import HookTarget
from skep.kernel.attaching.table import driver_of
from skep.kernel.loading import load_program
from skep.kernel.namespaces import namespace_cookie

pytestmark = pytest.mark.kernel

FILTER = ("install", "skep/port-filter:1.0.0", "--yes", "--on")
FEW = ("setpriv", "--inh-caps", "-all", "--bounding-set")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    with live_node(tmp_path) as made:
        yield made


@pytest.fixture
def filtering(node: LiveNode) -> LiveNode:
    node.install("port-filter")
    return node


@pytest.fixture
def shared(node: LiveNode) -> Iterator[HookTarget]:
    """A hook with room for several programs, on which a program of somebody else passes all."""
    hook = find_hook("tcx-ingress")
    driver = driver_of(hook)
    on = HookTarget(hook.name, node.playground.interface)
    plan = replace(
        program("classify", *returning(0)),
        program_type=hook.program_type_id,
        attach_type=hook.attach_type_id,
    )
    with (
        load_program(plan, []) as theirs,
        driver.attach(hook, driver.locate(on).identity, theirs),
    ):
        yield on


def chain(node: LiveNode, on: HookTarget | str) -> Mapping[str, object]:
    (found,) = node.skep.ok("chain", on, "--json").documents("chains")
    return found


def test_a_hook_with_programs_of_others_alone_names_them(
    node: LiveNode, shared: HookTarget
) -> None:
    text = node.skep.ok("chain", shared).out
    assert f"{shared}  no Skep programs attached\n" in text
    assert "(classify), which Skep did not attach\n" in text
    there = chain(node, shared)["occupants"]
    assert isinstance(there, list)
    assert [(each["name"], each["is_ours"]) for each in there] == [("classify", False)]


@pytest.mark.parametrize(
    "held", ["-sys_admin", "-all", "-all,+bpf,+net_admin,+perfmon", "-all,+sys_admin"]
)
def test_what_may_not_be_read_is_not_called_absent(filtering: LiveNode, held: str) -> None:
    skep = filtering.skep.within(*FEW, held)
    (one,) = skep.ok("list", "--json").documents("deployments")
    if held.endswith("+sys_admin"):
        assert (one["condition"], one["reason"]) == ("running", "")
    else:
        assert (one["condition"], one["reason"]) == ("not known", "CAP_SYS_ADMIN is missing")
        assert "not known: CAP_SYS_ADMIN is missing" in skep.ok("list").out


def test_without_the_capability_to_read_programs_nothing_is_changed(filtering: LiveNode) -> None:
    skep = filtering.skep.within(*FEW, "-sys_admin")
    assert "not known: CAP_SYS_ADMIN is missing" in skep.ok("chain", filtering.on).out
    assert "is not known: CAP_SYS_ADMIN is missing" in skep.ok("doctor").out
    commands = ("remove", "port-filter"), ("set", "port-filter", "ports=9"), ("doctor", "--repair")
    for command in commands:
        ran = skep(*command)
        assert ran.code != 0
        assert "CAP_SYS_ADMIN" in ran.err
        assert "hint:  run as root; this process lacks CAP_SYS_ADMIN" in ran.err
    assert filtering.skep.ok("doctor").out == "no problems found\n"
    assert chain(filtering, filtering.on)["condition"] == "running"


def test_the_mode_of_what_runs_is_told_later_too(node: LiveNode) -> None:
    ground = node.playground
    for name, where in ((ground.interface, None), (ground.peer, ground.namespace)):
        with IPRoute(netns=where) as netlink:
            netlink.link("set", index=netlink.link_lookup(ifname=name)[0], mtu=9000)
    node.skep.ok(*FILTER, node.on, "-q")
    assert "  generic mode: in the network stack" in node.skep.ok("chain", node.on).out
    assert str(chain(node, node.on)["remark"]).startswith("generic mode")
    (one,) = node.skep.ok("list", "--json").documents("deployments")
    assert str(one["remark"]).startswith("generic mode")


def test_a_usual_mode_needs_no_remark(filtering: LiveNode) -> None:
    assert chain(filtering, filtering.on)["remark"] == ""


def test_the_cookie_of_the_host_is_not_stored(node: LiveNode) -> None:
    typed = f"{node.on}@netns:{namespace_cookie()}"
    node.skep.ok(*FILTER, typed)
    (one,) = node.skep.ok("list", "--json").documents("deployments")
    assert (one["on"], one["called"]) == (str(node.on), None)
    assert f"{node.on}  " in node.skep.ok("list").out
    assert chain(node, typed)["on"] == str(node.on)
    assert node.skep.ok("doctor").out == "no problems found\n"
    node.skep.ok("remove", "--on", typed)


def test_without_a_database_what_runs_is_told(filtering: LiveNode) -> None:
    filtering.settings.database.unlink()
    text = filtering.skep.ok("chain", filtering.on).out
    assert text.startswith(f"{filtering.on}  runs skep_")
    assert text.endswith(", which no deployment declares\n")
    assert filtering.skep.ok("chain").out == text
    assert chain(filtering, filtering.on)["condition"] == "undeclared"


def test_a_lost_map_is_told_with_its_counters(filtering: LiveNode) -> None:
    for pin in sorted((filtering.settings.bpffs / "maps" / "port-filter").iterdir()):
        pin.unlink()
    text = filtering.skep.ok("chain", filtering.on).out
    assert "None" not in text
    assert " ?  (its map is missing)\n" in text
    assert "; missing maps: " in filtering.skep.ok("list").out
