"""kill -9 between any two steps of any command, and the next command."""

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest
from tests.builders.nodes import FakeNode, NodeImage
from tests.fakes.faults import Fault, SimulatedCrash

from skep.chains.ordering import Before
from skep.node.converging.recovering import recover
from skep.node.deploying.moving import move
from skep.node.deploying.removing import remove
from skep.node.deploying.setting import change_settings

Command = Callable[[FakeNode, Fault], object]

COMMANDS: dict[str, Command] = {
    "install": lambda node, fault: node.install(
        "acme/new", placement=Before("limit"), ports="1,2", fault=fault
    ),
    "install-elsewhere": lambda node, fault: node.install("acme/new", on="xdp:eth1", fault=fault),
    "remove": lambda node, fault: remove(node.writer(fault), "limit"),
    "move": lambda node, fault: move(node.writer(fault), "filter", Before("limit")),
    "set-live": lambda node, fault: change_settings(
        node.writer(fault), "limit", {"rate": "1", "ports": "2,3"}
    ),
    "set-constant": lambda node, fault: change_settings(
        node.writer(fault), "limit", {"constant": "9"}
    ),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_crash_at_any_step_is_repaired_by_the_next_command(
    node: FakeNode, name: str, *, after: bool
) -> None:
    command = COMMANDS[name]
    crashes = 0
    for at in range(100):
        for leftover in node.names("xdp:eth0") + node.names("xdp:eth1"):
            remove(node.writer(), leftover)
        node.install("acme/limit", ports="1,2")
        node.install("acme/filter")
        node.kernel.write_entries("filter", "counts", {bytes(4): b"content!"}, [])
        kept = node.kernel.maps["filter", "counts"]
        committed = [one.deployment for one in node.state.installed()]
        fault = Fault(at, after=after)
        try:
            command(node, fault)
        except SimulatedCrash:
            crashes += 1
        else:
            break
        done = [one.deployment for one in node.state.installed()] != committed
        recover(node.writer())
        # Nothing but all or nothing, and no map that stays declared was lost.
        assert done or [one.deployment for one in node.state.installed()] == committed
        assert node.kernel.maps["filter", "counts"] is kept
        assert kept.contents == {bytes(4): b"content!"}
        node.kernel.handles.clear()  # the dead process' descriptors
        node.consistent()
    assert crashes > 3


def _crashes(step: Callable[[], object]) -> bool:
    try:
        step()
    except SimulatedCrash:
        return True
    return False


@pytest.mark.parametrize("name", ["install", "remove", "set-constant"])
def test_a_crash_while_repairing_is_repaired_too(
    node: FakeNode, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    node.install("acme/limit", ports="1,2")
    node.install("acme/filter")
    image = NodeImage.of(node)
    pairs = 0
    for at in count():
        for again in count():
            node = FakeNode(tmp_path_factory.mktemp("node"), image)
            kept = node.kernel.maps["filter", "counts"]
            crashed = _crashes(partial(COMMANDS[name], node, Fault(at)))
            second = Fault(again, after=bool(again % 2))
            repair_crashed = _crashes(partial(recover, node.writer(second)))
            recover(node.writer())
            assert node.kernel.maps["filter", "counts"] is kept
            node.kernel.handles.clear()
            node.consistent()
            node.close()
            if not repair_crashed:
                break  # the repair has no more steps: later ones would say the same again
            pairs += 1
        if not crashed:
            break  # nor has the command
    assert pairs >= 40


def test_nothing_to_repair_costs_no_look_at_packages(node: FakeNode) -> None:
    node.install()
    node.packages.opened.clear()
    assert recover(node.writer()).done == []
    assert node.packages.opened == []


def test_after_a_reboot_everything_is_as_declared(node: FakeNode) -> None:
    node.install("acme/limit", ports="80")
    node.install("acme/filter", on="xdp:eth1")
    node.kernel.reboot()
    entry = node.state.begin("the machine went down", [], "2026-11-23T08:00:00Z")
    recover(node.writer())
    outcomes = {each.number: each.outcome for each in node.state.history()}
    assert outcomes[entry] == "repaired"
    assert set(node.kernel.read_entries("limit", "ports")) == {(80).to_bytes(4, "little")}
    node.consistent()


def test_one_hook_target_that_cannot_be_helped_does_not_keep_the_others(
    node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    node.install("acme/limit")
    node.install("acme/filter", on="xdp:eth1")
    node.kernel.reboot()
    node.packages.gone.add("acme/limit")
    node.state.begin("the machine went down", [], "2026-11-23T08:00:00Z")
    result = recover(node.writer())
    assert [str(on) for on, _ in result.problems] == ["xdp:eth0"]
    assert [vars(each)["sentence"] for each in caplog.records] == [
        "the interrupted change could not be undone: no acme/limit; the next command tries again"
    ]
    assert node.kernel.runs("eth1") is not None
    assert len(node.state.unfinished()) == 1
    node.packages.gone.clear()
    recover(node.writer())
    node.consistent()


def test_retired_maps_of_a_target_that_cannot_be_helped_are_kept(node: FakeNode) -> None:
    node.install("acme/limit")
    content = node.kernel.maps["limit", "config"].identity
    node.kernel.retire_map("limit", "config")
    node.packages.gone.add("acme/limit")
    node.state.begin("a crash", [], "2026-11-23T08:00:00Z")
    recover(node.writer())
    node.packages.gone.clear()
    recover(node.writer())
    assert node.kernel.maps["limit", "config"].identity == content
    node.consistent()


def test_what_waits_for_an_interface_keeps_no_journal_open(node: FakeNode) -> None:
    node.install()
    node.kernel.remove_interface("eth0")
    node.state.begin("a crash", [], "2026-11-23T08:00:00Z")
    assert recover(node.writer()).problems == []
    assert node.state.unfinished() == ()
    assert node.names() == ["limit"]
