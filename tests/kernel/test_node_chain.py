"""A node on the running kernel, with real packets: chains, order, settings, metrics."""

import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.attaching import attach_xdp, xdp_program_id
from tests.builders.deployments import returning
from tests.builders.live_node import LiveNode, live_node
from tests.builders.packets import UDP, ethernet, ipv4, tcp_frame, udp, udp_frame

from skep.chains.ordering import Before
from skep.chains.planning import HookOccupied, HookTargetMissing
from skep.hooks.table import HookTarget
from skep.kernel.interfaces import ifindex
from skep.kernel.loading import load_program
from skep.kernel.network import create_veth, remove_interface
from skep.kernel.packets import open_packet_socket
from skep.kernel.programs import describe_program
from skep.node.observing.wiring import open_node_for_reading
from skep.node.wiring.playgrounds import open_peer_socket
from skep.packages.errors import UnknownSetting, WrongSetting

pytestmark = pytest.mark.kernel

CLOSED, LIMITED, OPEN = 8081, 8082, 8080


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    with live_node(tmp_path) as made:
        yield made


def running_name(node: LiveNode) -> str | None:
    identity = xdp_program_id(ifindex(node.playground.interface))
    return describe_program(identity).name if identity is not None else None


def test_one_program_runs_counts_and_goes(node: LiveNode) -> None:
    report = node.install("port-filter", ports=str(CLOSED))
    assert report.chain == ("port-filter",)
    assert report.deployment.signer
    assert report.installed is not None
    assert report.installed.measured.verified_instructions
    assert report.installed.measured.stack_bytes is not None
    frames = [udp_frame(CLOSED), udp_frame(OPEN), tcp_frame(CLOSED)]
    assert node.deliver(frames) == [udp_frame(OPEN)]
    assert node.counts("port-filter") == {"seen": 3, "dropped": 2}
    with node.opened() as opened:
        opened.remove("port-filter")
    assert running_name(node) is None
    assert node.deliver(frames) == frames


def test_order_decides_who_sees_a_packet(node: LiveNode) -> None:
    node.install("port-filter", ports=str(CLOSED))
    node.install("ratelimiting", ports=f"{CLOSED},{LIMITED}", rate="1000/s")
    frames = [tcp_frame(CLOSED), tcp_frame(LIMITED)]
    assert node.deliver(frames) == [tcp_frame(LIMITED)]
    # The filter is first: what it drops, the limiter never sees.
    assert node.counts("port-filter") == {"seen": 2, "dropped": 1}
    assert node.counts("ratelimiting") == {"received": 1, "dropped": 0}
    with node.opened() as opened:
        moved = opened.move("ratelimiting", before="port-filter")
        assert moved.chain == ("ratelimiting", "port-filter")
    assert node.deliver(frames) == [tcp_frame(LIMITED)]
    # Now it does; and the move kept what both had counted.
    assert node.counts("ratelimiting") == {"received": 3, "dropped": 0}
    assert node.counts("port-filter") == {"seen": 4, "dropped": 2}


def test_a_newcomer_can_be_installed_before_another(node: LiveNode) -> None:
    node.install("port-filter")
    node.install("ratelimiting", placement=Before("port-filter"))
    assert node.chain() == ["ratelimiting", "port-filter"]


def test_a_setting_changes_what_happens_to_the_next_packet(node: LiveNode) -> None:
    node.install("port-filter", ports=str(CLOSED))
    name = running_name(node)
    assert node.deliver([udp_frame(CLOSED)]) == []
    with node.opened() as opened:
        opened.set("port-filter", {"ports": str(OPEN)})
    assert node.deliver([udp_frame(CLOSED), udp_frame(OPEN)]) == [udp_frame(CLOSED)]
    with node.opened() as opened:
        opened.set("port-filter", {"ports": ""})
    assert node.deliver([udp_frame(OPEN)]) == [udp_frame(OPEN)]
    assert running_name(node) == name


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"ports": "many"}, WrongSetting), ({"colour": "red"}, UnknownSetting)],
)
def test_wrong_settings_change_nothing(
    node: LiveNode, changes: dict[str, str], error: type[Exception]
) -> None:
    node.install("port-filter", ports=str(CLOSED))
    with node.opened() as opened, pytest.raises(error):
        opened.set("port-filter", changes)
    assert node.deliver([udp_frame(CLOSED), udp_frame(OPEN)]) == [udp_frame(OPEN)]


def test_swaps_under_traffic_lose_duplicate_and_skip_nothing(node: LiveNode) -> None:
    """Every packet is numbered; both members count each of them once, whatever the order."""
    node.install("port-filter", ports=str(CLOSED))
    node.install("ratelimiting", ports=str(LIMITED), rate="1000000/s")
    before = node.counts("port-filter")["seen"]
    received: list[int] = []
    sent = 0
    enough = threading.Event()

    def numbered(number: int) -> bytes:
        payload = struct.pack("!HHHHI", 40000, OPEN, 12, 0, number)
        return ethernet(0x0800, ipv4(payload, protocol=UDP))

    def listen() -> None:
        with open_packet_socket(node.playground.interface) as local:
            local.settimeout(0.5)
            listening.set()
            while True:
                try:
                    frame = local.recv(2048)
                except TimeoutError:
                    if enough.is_set():
                        return
                    continue
                if frame[12:14] == b"\x08\x00" and frame[36:38] == struct.pack("!H", OPEN):
                    received.append(struct.unpack("!I", frame[42:46])[0])

    listening = threading.Event()
    listener = threading.Thread(target=listen)
    listener.start()
    listening.wait()

    def swap() -> None:
        with node.opened() as opened:
            for first, second in 5 * [
                ("ratelimiting", "port-filter"),
                ("port-filter", "ratelimiting"),
            ]:
                opened.move(first, before=second)
        swapped.set()

    swapped = threading.Event()
    swapper = threading.Thread(target=swap)
    swapper.start()
    deadline = time.monotonic() + 120
    with open_peer_socket(node.playground) as peer:
        while not swapped.is_set() or sent < 2000:
            for _ in range(8):  # the ring of a veth holds 256
                peer.send(numbered(sent))
                sent += 1
            while len(received) < sent - 64 and time.monotonic() < deadline:
                time.sleep(0.0005)
            if time.monotonic() > deadline:
                break
    enough.set()
    swapper.join()
    listener.join()
    assert swapped.is_set()
    assert received == list(range(sent))  # none lost, none twice, none out of order
    assert node.counts("port-filter")["seen"] - before == sent  # none unprocessed, none twice


def test_a_foreign_program_is_a_conflict_and_stays(node: LiveNode) -> None:
    index = ifindex(node.playground.interface)
    with (
        load_program(returning(2), [], kernel_name="theirs") as theirs,
        attach_xdp(theirs, index),
        node.opened() as opened,
    ):
        for attempt in (opened.preview, opened.install):
            with pytest.raises(HookOccupied, match="theirs"):
                attempt(node.request("port-filter"))
        assert running_name(node) == "theirs"
        assert opened.installed() == ()
        assert opened.examine() == ()


def test_a_missing_interface_is_not_found(node: LiveNode) -> None:
    request = replace(node.request("port-filter"), on=HookTarget("xdp", "skep-nowhere"))
    with node.opened() as opened:
        for attempt in (opened.preview, opened.install):
            with pytest.raises(HookTargetMissing, match="skep-nowhere"):
                attempt(request)
        assert opened.installed() == ()


def test_a_preview_shows_what_is_derived_and_loads_nothing(node: LiveNode) -> None:
    with node.opened() as opened:
        opened.install(node.request("port-filter"))
        shown = opened.preview(node.request("ratelimiting", settings={"rate": "5/s"}))
    assert shown.report_matches
    assert shown.kernel_suffices
    assert not shown.accepts_unsigned
    assert shown.trusted_since is not None
    assert shown.label.permissions
    assert shown.label.instructions > 0
    assert shown.label.map_bytes > 0
    assert [(place.name, place.is_new) for place in shown.chain] == [
        ("port-filter", False),
        ("ratelimiting", True),
    ]
    assert [(s.name, s.text, s.is_default) for s in shown.settings] == [
        ("rate", "5/s", False),
        ("ports", "", True),
    ]
    assert node.chain() == ["port-filter"]


def test_a_reader_sees_what_runs(node: LiveNode) -> None:
    with open_node_for_reading(node.settings) as reader:
        assert reader.installed() == ()
    node.install("port-filter", ports=str(CLOSED))
    node.deliver([udp_frame(CLOSED)])
    with open_node_for_reading(node.settings) as reader:
        (listed,) = reader.installed()
        assert (listed.condition, listed.maps_missing) == ("running", ())
        assert reader.chain(node.on).running == reader.chain(node.on).declared
        assert reader.interrupted() == ()
        assert reader.history()[0].outcome == "done"
    with node.opened() as opened:
        counted = {each.name: each.value for each in opened.metrics("port-filter")}
        assert counted == {"seen": 1, "dropped": 1}


def test_an_interface_that_is_made_anew_gets_its_chain_from_the_doctor(node: LiveNode) -> None:
    node.install("port-filter", ports=str(CLOSED))
    ground = node.playground
    remove_interface(ground.interface)
    with node.opened() as opened:
        assert {finding.kind for finding in opened.examine()} == {"target missing"}
        create_veth(
            ground.interface, ground.peer, ground.namespace,
            f"{ground.address}/30", f"{ground.peer_address}/30",
        )  # fmt: skip
        (done,) = opened.repair()
        assert (done.kind, bool(done.repaired)) == ("target deleted", True)
        assert opened.examine() == ()
    assert node.deliver([udp_frame(CLOSED), udp_frame(OPEN)]) == [udp_frame(OPEN)]


def test_ports_are_in_the_order_of_the_wire(node: LiveNode) -> None:
    node.install("port-filter", ports="258")
    swapped = ethernet(0x0800, ipv4(udp(0x0201), protocol=UDP))
    assert node.deliver([udp_frame(258), swapped]) == [swapped]
