"""Commands in unusual surroundings: large packets, private mounts, no /proc, any umask."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from tests.builders.attaching import xdp_program_id
from tests.builders.live_node import LiveNode, live_node
from tests.builders.packets import udp_frame
from tests.builders.wires import inside

from skep.kernel.interfaces import ifindex

pytestmark = pytest.mark.kernel

CLOSED, OPEN = 8081, 8080
SENT = [udp_frame(CLOSED), udp_frame(OPEN)]
FILTER = ("install", "skep/port-filter:1.0.0", "--yes", f"--set=ports={CLOSED}", "--on")
PRIVATELY = ("unshare", "--mount", "--propagation", "private")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    with live_node(tmp_path) as made:
        yield made


def enlarge(node: LiveNode, mtu: int) -> None:
    ground = node.playground
    for name, where in ((ground.interface, None), (ground.peer, ground.namespace)):
        with IPRoute(netns=where) as netlink:
            netlink.link("set", index=netlink.link_lookup(ifname=name)[0], mtu=mtu)


def is_running(node: LiveNode) -> bool:
    (one,) = node.skep.ok("list", "--json").documents("deployments")
    return one["condition"] == "running"


def test_an_interface_of_jumbo_frames_gets_generic_mode_and_it_is_said(node: LiveNode) -> None:
    enlarge(node, 9000)
    said = f"generic mode: the driver of {node.on.target} refuses native XDP at MTU 9000"
    assert said in node.skep.ok(*FILTER, node.on).out.splitlines()
    assert node.deliver(SENT) == [udp_frame(OPEN)]
    assert node.skep.ok("doctor").out == "no problems found\n"
    # A change exchanges the program of the link, which keeps its mode.
    node.skep.ok("set", "port-filter", f"ports={OPEN}")
    assert node.deliver(SENT) == [udp_frame(CLOSED)]
    node.skep.ok("remove", "port-filter")
    found = node.skep.ok(*FILTER, node.on, "--json").document
    assert found["remark"] == said


def test_a_usual_interface_needs_no_remark(node: LiveNode) -> None:
    assert node.skep.ok(*FILTER, node.on, "--json").document["remark"] == ""


def test_a_repair_says_how_it_attached(node: LiveNode) -> None:
    node.skep.ok(*FILTER, node.on)
    with node.opened() as opened:
        enlarge_after_detaching(node)
        (finding,) = opened.repair()
    assert "generic mode" in finding.repaired


def enlarge_after_detaching(node: LiveNode) -> None:
    """With a program in native mode the driver refuses a large MTU."""
    for pin in (node.settings.bpffs / "links").iterdir():
        pin.unlink()
    enlarge(node, 9000)


@pytest.mark.parametrize("where", ["mounts", "mounts-and-network"])
def test_what_is_installed_among_private_mounts_runs_on(node: LiveNode, where: str) -> None:
    before: tuple[str, ...] = PRIVATELY
    on = str(node.on)
    if where == "mounts-and-network":  # as `ip netns exec`
        before = (*inside(node.playground.namespace), *PRIVATELY)
        on += "@host"
    node.skep.within(*before).ok(*FILTER, on)
    assert is_running(node)
    assert node.deliver(SENT) == [udp_frame(OPEN)]
    assert node.skep.ok("doctor").out == "no problems found\n"
    node.skep.within(*before).ok("set", "port-filter", f"ports={OPEN}")
    assert node.deliver(SENT) == [udp_frame(CLOSED)]
    node.skep.within(*before).ok("remove", "port-filter")
    assert xdp_program_id(ifindex(node.on.target)) is None


def test_without_proc_nothing_is_attached_and_it_is_said(node: LiveNode) -> None:
    hidden = (*PRIVATELY, "sh", "-c", 'umount -l /proc; exec "$0" "$@"')
    ran = node.skep.within(*hidden)(*FILTER, node.on)
    assert ran.code == 8
    assert "/proc is not mounted" in ran.err
    assert "mount -t proc proc /proc" in ran.err
    assert xdp_program_id(ifindex(node.on.target)) is None
    assert node.skep.ok("list").out == "no deployments on this node\n"


@pytest.mark.parametrize("mask", ["0002", "0777"])
def test_whatever_the_umask_the_node_works_and_is_private(node: LiveNode, mask: str) -> None:
    masked = node.skep.within("sh", "-c", f'umask {mask}; exec "$0" "$@"')
    masked.ok(*FILTER, node.on)
    masked.ok("set", "port-filter", f"ports={OPEN}")
    assert masked.ok("doctor").out == "no problems found\n"
    assert node.deliver(SENT) == [udp_frame(CLOSED)]
    root = node.settings.root
    for path in (root / "node.db", root / "lock", root / "kept", *(root / "kept").iterdir()):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o022 == 0, path
        assert mode & 0o400, path
    masked.ok("remove", "port-filter")
    assert list((root / "kept").iterdir()) == []
