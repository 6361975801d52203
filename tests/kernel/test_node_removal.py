"""The law of removal on the running kernel: taking away always works, and what stays runs on."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.builders.attaching import xdp_program_id
from tests.builders.deployments import hash_map
from tests.builders.live_node import LiveNode, live_node
from tests.builders.packets import udp_frame

from skep.kernel.interfaces import ifindex
from skep.kernel.maps import create_map
from skep.kernel.pins import PinRoot
from skep.node.observing.pins import MAPS

pytestmark = pytest.mark.kernel

CLOSED, OPEN = 8081, 8080
SENT = [udp_frame(CLOSED), udp_frame(OPEN)]
Damage = Callable[[LiveNode], None]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    """Two members: a filter, and a limiter after it."""
    with live_node(tmp_path) as made:
        made.install("port-filter", ports=str(CLOSED))
        made.install("ratelimiting")
        assert made.deliver(SENT) == [udp_frame(OPEN)]
        yield made


def lose_trust(node: LiveNode) -> None:
    shutil.rmtree(node.settings.trust)


def lose_packages(node: LiveNode) -> None:
    shutil.rmtree(node.settings.content)


def lose_copies(node: LiveNode) -> None:
    shutil.rmtree(node.settings.kept)


def damage_copies(node: LiveNode) -> None:
    for path in node.settings.kept.iterdir():
        path.write_bytes(path.read_bytes()[:-1])


def damaged_record(name: str) -> Damage:
    def damage(node: LiveNode) -> None:
        with closing(sqlite3.connect(node.settings.database)) as connection:
            connection.execute("UPDATE deployments SET run_on = '?' WHERE name = ?", (name,))
            connection.commit()

    return damage


def replaced_maps(name: str) -> Damage:
    def damage(node: LiveNode) -> None:
        with PinRoot(node.settings.bpffs) as pins:
            for pin in pins.names(MAPS, name):
                pins.remove(MAPS, name, pin)
                with create_map(hash_map("other", entries=7)) as made:
                    pins.pin(made, MAPS, name, pin)

    return damage


def lost_maps(name: str) -> Damage:
    def damage(node: LiveNode) -> None:
        with PinRoot(node.settings.bpffs) as pins:
            pins.remove(MAPS, name)

    return damage


def both(*damages: Damage) -> Damage:
    def damage(node: LiveNode) -> None:
        for each in damages:
            each(node)

    return damage


def programs(node: LiveNode) -> int | None:
    return xdp_program_id(ifindex(node.on.target))


def maps(node: LiveNode) -> set[str]:
    with PinRoot(node.settings.bpffs) as pins:
        return {name for name in pins.names(MAPS) if pins.names(MAPS, name)}


def remove_the_rest(node: LiveNode) -> None:
    with node.opened() as opened:
        opened.remove("port-filter", others_may_stop=True)
        assert programs(node) is None
        assert maps(node) == set()
        assert (opened.installed(), opened.damaged(), opened.examine()) == ((), (), ())


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lose_trust, id="publisher-distrusted"),
        pytest.param(lose_packages, id="packages-lost"),
        pytest.param(both(lose_trust, lose_packages), id="publisher-and-packages-lost"),
        pytest.param(lose_copies, id="copies-lost"),  # packages are opened instead
        pytest.param(damage_copies, id="copies-damaged"),
        pytest.param(damaged_record("ratelimiting"), id="its-record-damaged"),
        pytest.param(damaged_record("port-filter"), id="record-of-the-other-damaged"),
        pytest.param(replaced_maps("ratelimiting"), id="its-maps-replaced"),
        pytest.param(lost_maps("ratelimiting"), id="its-maps-lost"),
    ],
)
def test_what_stays_runs_on(node: LiveNode, damage: Damage) -> None:
    seen = node.counts("port-filter")["seen"]
    damage(node)
    node.skep.ok("remove", "ratelimiting")
    assert node.deliver(SENT) == [udp_frame(OPEN)]
    with node.opened() as opened:
        (one,) = opened.installed()
    assert (one.deployment.name, one.condition, one.maps_missing) == ("port-filter", "running", ())
    assert maps(node) == {"port-filter"}
    if node.settings.content.exists():  # what is counted, the package tells
        assert node.counts("port-filter")["seen"] == seen + len(SENT)
    remove_the_rest(node)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(both(lose_trust, lose_copies), id="publisher-and-copies-lost"),
        pytest.param(both(lose_packages, damage_copies), id="packages-and-copies-lost"),
        pytest.param(replaced_maps("port-filter"), id="maps-of-the-other-replaced"),
    ],
)
def test_who_would_stop_is_named_and_somebody_must_agree(node: LiveNode, damage: Damage) -> None:
    damage(node)
    running = programs(node)
    refused = node.skep("remove", "ratelimiting")
    assert refused.code not in {0, 1}
    assert "would stop port-filter" in refused.err
    assert programs(node) == running
    assert node.deliver(SENT) == [udp_frame(OPEN)]
    agreed = node.skep.ok("remove", "ratelimiting", "--yes")
    assert "port-filter does not run any more" in agreed.err
    assert programs(node) is None
    remove_the_rest(node)


def test_what_nothing_declares_goes_with_its_hook(node: LiveNode) -> None:
    with closing(sqlite3.connect(node.settings.database)) as connection:
        connection.execute("DELETE FROM deployments")
        connection.commit()
    doctor = node.skep("doctor")
    assert doctor.code == 12
    assert f"skep remove --on {node.on}" in doctor.out
    # A repair takes no running program off an interface.
    assert node.skep("doctor", "--repair").code == 12
    assert node.deliver(SENT) == [udp_frame(OPEN)]
    node.skep.ok("remove", "--on", node.on)
    assert programs(node) is None
    for name in ("port-filter", "ratelimiting"):
        node.skep.ok("remove", name)
    assert maps(node) == set()
    assert node.skep.ok("doctor").out == "no problems found\n"
