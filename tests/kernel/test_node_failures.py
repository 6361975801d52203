"""What others did to a node, and what its surroundings refuse it, on the running kernel."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.live_node import LiveNode, live_node
from tests.builders.packets import udp_frame

from skep.bytecode.linking.plan import MapPlan
from skep.kernel.maps import create_map
from skep.kernel.pins import PinRoot
from skep.node.observing.pins import MAPS

pytestmark = pytest.mark.kernel

CLOSED, OPEN = 8081, 8080
SENT = [udp_frame(CLOSED), udp_frame(OPEN)]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    """One member: a filter that closes a port."""
    with live_node(tmp_path) as made:
        made.install("port-filter", ports=str(CLOSED))
        assert made.deliver(SENT) == [udp_frame(OPEN)]
        yield made


# Maps in the place of maps in use ------------------------------------------------------------


def test_settings_are_not_written_into_a_map_that_nothing_uses(node: LiveNode) -> None:
    with PinRoot(node.settings.bpffs) as pins:
        with pins.open_map(MAPS, "port-filter", "pf_ports") as there:
            plan = MapPlan(
                "pf_ports", there.map_type, there.key_size, there.value_size, there.max_entries
            )
        pins.remove(MAPS, "port-filter", "pf_ports")
        with create_map(plan) as made:
            pins.pin(made, MAPS, "port-filter", "pf_ports")

    answer = node.skep("set", "port-filter", f"ports={OPEN}")
    assert answer.code == 5
    assert "another map was put in the place of pf_ports" in answer.err
    doctor = node.skep("doctor")
    assert doctor.code == 12
    assert "pf_ports" in doctor.out
    assert node.skep("doctor", "--repair").code == 0
    assert node.deliver(SENT) == [udp_frame(OPEN)]
    assert node.skep("set", "port-filter", f"ports={OPEN}").code == 0
    assert node.deliver(SENT) == [udp_frame(CLOSED)]
