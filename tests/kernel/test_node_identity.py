"""A deployment stays on its interface, whatever becomes of the name; and touches no other one."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.attaching import attach_xdp, xdp_program_id
from tests.builders.databases import return_to
from tests.builders.deployments import returning
from tests.builders.live_node import LiveNode, live_node
from tests.builders.packets import udp_frame
from tests.builders.wires import (
    add_name,
    another_name,
    inside,
    make_pair,
    move,
    nameless_namespace,
    namespace,
    packet_socket,
    rename,
)

from skep.chains.planning import HookOccupied, HookTargetMissing
from skep.errors import SkepError
from skep.hooks.target import HookTarget
from skep.kernel.interfaces import ifindex
from skep.kernel.loading import load_program
from skep.kernel.namespaces import entered
from skep.kernel.network import remove_interface
from skep.kernel.pins import PinRoot
from skep.kernel.programs import describe_program
from skep.node.deploying.targeting import NameMoved
from skep.node.looking.listing import Listed
from skep.node.observing.link_pins import LINKS
from skep.node.observing.wiring import open_node_for_reading

pytestmark = pytest.mark.kernel

CLOSED, OPEN = 8081, 8080
SENT = [udp_frame(CLOSED), udp_frame(OPEN)]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    with live_node(tmp_path) as made:
        yield made


@pytest.fixture
def filtering(node: LiveNode) -> LiveNode:
    """A node with a port filter on its interface."""
    node.install("port-filter", ports=str(CLOSED))
    return node


def listed(node: LiveNode) -> dict[str, Listed]:
    with open_node_for_reading(node.settings) as reader:
        return {one.deployment.name: one for one in reader.installed()}


def conditions(node: LiveNode) -> dict[str, str]:
    return {name: one.condition for name, one in listed(node).items()}


def kinds(node: LiveNode) -> list[str]:
    with node.opened() as opened:
        return [finding.kind for finding in opened.examine()]


def links(node: LiveNode) -> list[str]:
    with PinRoot(node.settings.bpffs) as pins:
        return list(pins.names(LINKS))


def runs(on: HookTarget) -> str | None:
    """Name of the XDP program an interface runs."""
    with entered(on.namespace):
        identity = xdp_program_id(ifindex(on.target))
    return describe_program(identity).name if identity is not None else None


def dropped(node: LiveNode, on: HookTarget) -> list[int]:
    """Which of the two ports do not come through."""
    with packet_socket(on) as there:
        came = node.deliver(SENT, there)
    return [port for port, frame in ((CLOSED, SENT[0]), (OPEN, SENT[1])) if frame not in came]


def change_everything(node: LiveNode, on: HookTarget) -> None:
    """Set, install, move and remove beside a port filter that is called ``on`` by now."""
    before = links(node)
    with node.opened() as opened:
        opened.set("port-filter", {"ports": str(OPEN)})
        assert dropped(node, on) == [OPEN]
        request = node.request("ratelimiting", on=on)
        assert opened.install(request).chain == ("port-filter", "ratelimiting")
        assert opened.move("ratelimiting", before="port-filter").chain[0] == "ratelimiting"
        assert dropped(node, on) == [OPEN]
        opened.remove("ratelimiting")
        opened.set("port-filter", {"ports": str(CLOSED)})
    assert dropped(node, on) == [CLOSED]
    assert links(node) == before
    assert conditions(node) == {"port-filter": "running"}


def test_a_renamed_interface_keeps_its_chain(filtering: LiveNode) -> None:
    on, now = filtering.on, HookTarget("xdp", another_name())
    rename(on.target, now.target)
    assert dropped(filtering, now) == [CLOSED]
    one = listed(filtering)["port-filter"]
    assert (one.condition, one.deployment.on, one.called) == ("running", on, now)
    with filtering.opened() as opened:
        for name in (on, now):
            view = opened.chain(name)
            assert view.condition == "running"
            assert [each.deployment.name for each in view.members] == ["port-filter"]
    assert kinds(filtering) == ["target renamed"]
    change_everything(filtering, now)
    with filtering.opened() as opened:
        (finding,) = opened.repair()
        assert finding.repaired
        assert opened.examine() == ()
    one = listed(filtering)["port-filter"]
    assert (one.condition, one.deployment.on, one.called) == ("running", now, None)
    change_everything(filtering, now)
    with filtering.opened() as opened:
        opened.remove("port-filter")
    assert runs(now) is None


def test_commands_say_what_a_renamed_interface_is_called(filtering: LiveNode) -> None:
    on, new = str(filtering.on), another_name()
    rename(filtering.on.target, new)
    skep = filtering.skep
    assert f"running on {new}" in skep.ok("list").out
    assert f"called xdp:{new} now" in skep.ok("chain", on).out
    doctor = skep("doctor")
    assert doctor.code == 12
    assert f"{on} is called xdp:{new} now" in doctor.out
    assert "✓" in skep.ok("doctor", "--repair").out
    assert f"xdp:{new}  " in skep.ok("list").out
    assert skep.ok("doctor").out == "no problems found\n"
    skep.ok("remove", "port-filter")
    assert runs(HookTarget("xdp", new)) is None


def test_removing_by_name_or_by_hook_follows_the_interface(filtering: LiveNode) -> None:
    now = HookTarget("xdp", another_name())
    rename(filtering.on.target, now.target)
    with filtering.opened() as opened:
        assert opened.remove_all(now).names == ("port-filter",)
    assert runs(now) is None
    assert links(filtering) == []


def test_a_new_interface_of_the_old_name_is_another_one(filtering: LiveNode) -> None:
    ground, on = filtering.playground, filtering.on
    now = HookTarget("xdp", another_name())
    rename(on.target, now.target)
    with namespace() as elsewhere:
        make_pair(on.target, "peer", elsewhere, index=ifindex(now.target) + 1000)
        try:
            with filtering.opened() as opened, pytest.raises(NameMoved, match=now.target):
                opened.install(filtering.request("ratelimiting"))
            assert (runs(on), dropped(filtering, now)) == (None, [CLOSED])
            with filtering.opened() as opened:
                opened.repair()
                opened.install(filtering.request("ratelimiting"))
            assert len(links(filtering)) == 2
            assert runs(on) not in {None, runs(now)}
            with filtering.opened() as opened:
                opened.remove("port-filter")
            assert (runs(on) is None, runs(now)) == (False, None)
        finally:
            remove_interface(ground.interface)
            remove_interface(now.target)


def test_every_name_of_an_interface_is_the_same_hook(node: LiveNode) -> None:
    other = HookTarget("xdp", f"uplink-{secrets.token_hex(4)}".ljust(127, "x"))
    add_name(node.on.target, other.target)
    with node.opened() as opened:
        opened.install(node.request("port-filter", settings={"ports": str(CLOSED)}, on=other))
        assert opened.install(node.request("ratelimiting")).chain == ("port-filter", "ratelimiting")
        for name in (node.on, other):
            assert opened.chain(name).condition == "running"
            assert len(opened.chain(name).members) == 2
    assert len(links(node)) == 1
    assert dropped(node, node.on) == [CLOSED]
    assert set(conditions(node).values()) == {"running"}
    with node.opened() as opened:
        opened.remove_all(node.on)
    assert runs(node.on) is None


@pytest.fixture(params=["named", "nameless"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[tuple[str | int, str]]:
    """A network namespace: its name or a process in it, and the file that leads to it."""
    if request.param == "named":
        with namespace() as name:
            yield name, f"/run/netns/{name}"
    else:
        with nameless_namespace() as process:
            yield process, f"/proc/{process}/ns/net"


def test_a_chain_follows_its_interface_into_another_namespace(
    filtering: LiveNode, elsewhere: tuple[str | int, str]
) -> None:
    to, door = elsewhere
    on = filtering.on
    move(on.target, to)
    now = listed(filtering)["port-filter"].called
    assert now is not None
    assert now == HookTarget("xdp", on.target, to if isinstance(to, str) else now.namespace)
    assert now.namespace.startswith("netns:") or isinstance(to, str)
    assert dropped(filtering, now) == [CLOSED]
    has_name = isinstance(to, str)
    assert kinds(filtering) == ["target renamed" if has_name else "target moved"]
    change_everything(filtering, now)
    there = filtering.skep.within("nsenter", f"--net={door}")
    for skep in (filtering.skep, there):
        (one,) = skep.ok("list", "--json").documents("deployments")
        assert (one["condition"], one["called"]) == ("running", str(now))
    # Inside, its plain name is the one of that namespace.
    (chain,) = there.ok("chain", str(on), "--json").documents("chains")
    assert chain["condition"] == "running"
    there.ok("set", "port-filter", f"ports={OPEN}")
    assert dropped(filtering, now) == [OPEN]
    there.ok("doctor", "--repair")
    # A cookie is another namespace's after a boot: the name that lasts is kept.
    assert kinds(filtering) == ([] if has_name else ["target moved"])
    assert listed(filtering)["port-filter"].deployment.on == (now if has_name else on)
    assert dropped(filtering, now) == [OPEN]
    there.ok("remove", "--on", str(on))
    assert runs(now) is None
    assert links(filtering) == []


def make_anew(node: LiveNode) -> int:
    """Delete the node's interface and make another of the same name and number."""
    ground = node.playground
    index = ifindex(ground.interface)
    remove_interface(ground.interface)
    make_pair(ground.interface, ground.peer, ground.namespace, index=index)
    return index


def test_an_interface_made_anew_gets_nothing_until_somebody_asks(filtering: LiveNode) -> None:
    on = filtering.on
    make_anew(filtering)
    assert conditions(filtering) == {"port-filter": "detached"}
    assert kinds(filtering) == ["target deleted"]
    with filtering.opened() as opened:
        opened.recover()
        with pytest.raises(HookTargetMissing):
            opened.set("port-filter", {"ports": str(OPEN)})
        with pytest.raises(HookTargetMissing):
            opened.move("port-filter", order=7)
    assert runs(on) is None
    assert dropped(filtering, on) == []
    assert conditions(filtering) == {"port-filter": "detached"}
    with filtering.opened() as opened:
        assert all(finding.repaired for finding in opened.repair())
    assert dropped(filtering, on) == [CLOSED]
    assert len(links(filtering)) == 1
    assert kinds(filtering) == []


def test_an_install_binds_what_waits_to_the_new_interface(filtering: LiveNode) -> None:
    make_anew(filtering)
    with filtering.opened() as opened:
        chain = opened.install(filtering.request("ratelimiting")).chain
    assert chain == ("port-filter", "ratelimiting")
    assert conditions(filtering) == {"port-filter": "running", "ratelimiting": "running"}
    assert dropped(filtering, filtering.on) == [CLOSED]
    assert len(links(filtering)) == 1
    assert kinds(filtering) == []


def test_what_waits_can_be_removed_and_touches_nothing(filtering: LiveNode) -> None:
    make_anew(filtering)
    with filtering.opened() as opened:
        opened.remove("port-filter")
    assert (links(filtering), kinds(filtering)) == ([], [])


def test_a_strangers_program_on_the_new_interface_is_left_alone(filtering: LiveNode) -> None:
    index = make_anew(filtering)
    with (
        load_program(returning(2), [], kernel_name="theirs") as theirs,
        attach_xdp(theirs, index),
        filtering.opened() as opened,
    ):
        assert conditions(filtering) == {"port-filter": "detached"}
        assert kinds(filtering) == ["hook taken"]
        assert not any(finding.repaired for finding in opened.repair())
        with pytest.raises(HookOccupied, match="theirs"):
            opened.install(filtering.request("ratelimiting"))
        assert runs(filtering.on) == "theirs"
        opened.remove("port-filter")
        assert runs(filtering.on) == "theirs"
        assert opened.examine() == ()


def test_one_number_and_one_name_in_two_namespaces(node: LiveNode) -> None:
    on = node.on
    with namespace() as other, namespace() as far:
        make_pair(on.target, "far", far, index=ifindex(on.target), inside=other)
        there = node.skep.within(*inside(other))
        privately = ("unshare", "--mount", "--propagation", "private")
        node.skep.ok("install", "skep/port-filter:1.0.0", "--on", on, "-y", f"--set=ports={CLOSED}")
        node.skep.within(*inside(other), *privately).ok(
            "install", "skep/port-filter:1.0.0", "--on", on, "-y", "--name", "inner"
        )
        inner = HookTarget("xdp", on.target, other)
        assert len(links(node)) == 2
        assert None not in {runs(on), runs(inner)}
        assert runs(on) != runs(inner)
        for skep in (node.skep, there, there.within(*inside(other), *privately)):
            found = {
                one["name"]: (one["on"], one["condition"])
                for one in skep.ok("list", "--json").documents("deployments")
            }
            assert found == {
                "port-filter": (str(on), "running"),
                "inner": (str(inner), "running"),
            }
            assert skep.ok("doctor", "--json").documents("findings") == []
        assert f"{on}@host" in there.ok("list").out
        node.skep.ok("remove", "port-filter")
        assert runs(on) is None
        assert runs(inner) is not None
        there.ok("install", "skep/ratelimiting:1.0.0", "--on", f"{on}@host", "-y")
        assert conditions(node) == {"inner": "running", "ratelimiting": "running"}
        there.ok("remove", "--on", str(on))
        assert runs(inner) is None
        assert runs(on) is not None
        assert conditions(node) == {"ratelimiting": "running"}


def test_a_chain_in_a_hidden_namespace_runs_on_and_can_be_taken_away(filtering: LiveNode) -> None:
    """A descriptor of ours keeps the namespace; no name and no process leads to it."""
    with nameless_namespace() as process:
        move(filtering.on.target, process)
        now = listed(filtering)["port-filter"].called
        assert now is not None
        there = packet_socket(now)
    with there:
        with pytest.raises(SkepError, match="not visible from here"), entered(now.namespace):
            pass
        # Its link says that it runs, wherever that is.
        one = listed(filtering)["port-filter"]
        assert (one.condition, one.called) == ("running", None)
        assert filtering.deliver(SENT, there) == [udp_frame(OPEN)]
        with filtering.opened() as opened:
            assert opened.repair() == ()
            opened.set("port-filter", {"ports": str(OPEN)})
            assert filtering.deliver(SENT, there) == [udp_frame(CLOSED)]
            opened.remove("port-filter")
        assert filtering.deliver(SENT, there) == SENT
        assert (links(filtering), kinds(filtering)) == ([], [])


def test_what_lost_its_link_in_a_hidden_namespace_is_not_visible(filtering: LiveNode) -> None:
    with nameless_namespace() as process:
        move(filtering.on.target, process)
        now = listed(filtering)["port-filter"].called
        assert now is not None
        filtering.skep.ok("doctor", "--repair")
        there = packet_socket(now)
    with there:
        with PinRoot(filtering.settings.bpffs) as pins:
            pins.remove(LINKS, links(filtering)[0])
        assert conditions(filtering) == {"port-filter": "not visible"}
        with filtering.opened() as opened:
            (finding,) = opened.repair()
            assert (finding.kind, finding.is_information) == ("target not visible", True)
            opened.remove("port-filter")
        assert (links(filtering), kinds(filtering)) == ([], [])


def as_earlier_version_left_it(node: LiveNode) -> str:
    """The database of the second version, and the link's pin named by hook and number alone."""
    (pin,) = links(node)
    earlier = f"xdp-{ifindex(node.on.target)}"
    with PinRoot(node.settings.bpffs) as pins:
        pins.rename((LINKS, pin), (LINKS, earlier))
    return_to(2, node.settings.database)
    for path in node.settings.kept.iterdir():
        path.unlink()
    return earlier


def test_a_chain_of_an_earlier_version_is_taken_over(filtering: LiveNode) -> None:
    on = filtering.on
    earlier = as_earlier_version_left_it(filtering)
    assert conditions(filtering) == {"port-filter": "running"}
    assert kinds(filtering) == []
    assert links(filtering) == [earlier]
    change_everything(filtering, on)
    assert listed(filtering)["port-filter"].installed.binding is not None
    now = HookTarget("xdp", another_name())
    rename(on.target, now.target)
    change_everything(filtering, now)
    filtering.skep.ok("remove", "port-filter")
    assert runs(now) is None
    assert links(filtering) == []


def test_a_chain_of_an_earlier_version_is_joined_by_an_install(filtering: LiveNode) -> None:
    as_earlier_version_left_it(filtering)
    filtering.install("ratelimiting")
    assert len(links(filtering)) == 1
    assert dropped(filtering, filtering.on) == [CLOSED]
    assert kinds(filtering) == []
    with filtering.opened() as opened:
        opened.remove("port-filter")
        assert conditions(filtering) == {"ratelimiting": "running"}
        opened.remove("ratelimiting")
    assert runs(filtering.on) is None


def test_a_chain_of_an_earlier_version_is_removed_at_once(filtering: LiveNode) -> None:
    as_earlier_version_left_it(filtering)
    with filtering.opened() as opened:
        opened.remove("port-filter")
    assert (runs(filtering.on), links(filtering)) == (None, [])


def test_a_renamed_chain_of_an_earlier_version_is_not_forgotten(filtering: LiveNode) -> None:
    """Nothing was written about what it is on; its link runs the declared chain, and no other."""
    now = HookTarget("xdp", another_name())
    as_earlier_version_left_it(filtering)
    rename(filtering.on.target, now.target)
    one = listed(filtering)["port-filter"]
    assert (one.condition, one.called) == ("running", now)
    assert kinds(filtering) == ["target renamed"]
    with filtering.opened() as opened:
        opened.remove("port-filter")
    assert (runs(now), links(filtering)) == (None, [])
