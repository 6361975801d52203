"""What port-filter does to packets of every shape, in the running kernel."""

from collections.abc import Iterator

import pytest
from tests.builders.compiled import bundled_plan
from tests.builders.loaded_objects import LoadedObject, execute
from tests.builders.packets import ICMP, UDP, ethernet, ipv4, ipv6, tcp, tcp_frame, udp, udp_frame

from skep.kernel.running import test_run as run

pytestmark = pytest.mark.kernel

DROP, PASS = 1, 2
CLOSED, OPEN = 8081, 8080
IPV4, IPV6, VLAN, QINQ = 0x0800, 0x86DD, 0x8100, 0x88A8
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION, AUTHENTICATION = 0, 43, 44, 60, 51


@pytest.fixture
def loaded() -> Iterator[LoadedObject]:
    with execute(bundled_plan("port-filter")) as made:
        ports = next(each for each in made.maps if each.name == "pf_ports")
        ports.update(CLOSED.to_bytes(2, "little"), b"\1")
        yield made


def counter(made: LoadedObject, name: str) -> int:
    found = next(each for each in made.maps if each.name == name)
    return sum(int.from_bytes(v, "little") for v in found.lookup_per_cpu(bytes(4)))


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(tcp_frame(CLOSED), id="tcp"),
        pytest.param(udp_frame(CLOSED), id="udp"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED)), [VLAN]), id="vlan"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED)), [QINQ, VLAN]), id="two-vlans"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED), options=b"\1" * 4)), id="ip-option"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED), options=b"\1" * 40)), id="most-ip-options"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED)[:8], more=True)), id="first-fragment"),
        pytest.param(ethernet(IPV6, ipv6(tcp(CLOSED))), id="ipv6"),
        pytest.param(ethernet(IPV6, ipv6(udp(CLOSED), protocol=UDP), [VLAN]), id="ipv6-udp-vlan"),
        pytest.param(
            ethernet(IPV6, ipv6(tcp(CLOSED), extensions=[(HOP_BY_HOP, b"\0" + bytes(6))])),
            id="ipv6-hop-by-hop",
        ),
        pytest.param(
            ethernet(
                IPV6,
                ipv6(
                    tcp(CLOSED),
                    extensions=[
                        (HOP_BY_HOP, b"\1" + bytes(14)),
                        (ROUTING, b"\0" + bytes(6)),
                        (FRAGMENT, b"\0\0\1" + bytes(4)),
                        (AUTHENTICATION, b"\4" + bytes(22)),
                        (DESTINATION, b"\0" + bytes(6)),
                        (DESTINATION, b"\2" + bytes(22)),
                    ],
                ),
            ),
            id="ipv6-six-extensions",
        ),
    ],
)
def test_a_closed_port_is_found_in_every_shape_of_packet(
    loaded: LoadedObject, frame: bytes
) -> None:
    answer = run(loaded.programs[0], frame)
    assert answer.return_value == DROP
    assert (counter(loaded, "pf_seen"), counter(loaded, "pf_dropped")) == (1, 1)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(tcp_frame(OPEN), id="tcp"),
        pytest.param(udp_frame(OPEN), id="udp"),
        pytest.param(ethernet(IPV6, ipv6(udp(OPEN), protocol=UDP)), id="ipv6"),
        pytest.param(
            ethernet(IPV4, ipv4(udp(OPEN, source=CLOSED), protocol=UDP)), id="closed-as-source"
        ),
        pytest.param(
            ethernet(IPV4, ipv4(udp(0x911F), protocol=UDP)), id="closed-in-wrong-byte-order"
        ),
    ],
)
def test_other_ports_pass_and_are_seen(loaded: LoadedObject, frame: bytes) -> None:
    answer = run(loaded.programs[0], frame)
    assert (answer.return_value, answer.data) == (PASS, frame)
    assert (counter(loaded, "pf_seen"), counter(loaded, "pf_dropped")) == (1, 0)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(ethernet(0x0806, tcp(CLOSED)), id="arp"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED), protocol=ICMP)), id="icmp"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED), protocol=132)), id="sctp"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED), fragment=1)), id="later-fragment"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED), header_length=4)), id="header-too-short"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED), header_length=15))[:60], id="header-to-end"),
        pytest.param(ethernet(IPV4, ipv6(tcp(CLOSED))), id="version-is-not-the-ethertype"),
        pytest.param(ethernet(IPV6, ipv4(tcp(CLOSED))), id="ethertype-is-not-the-version"),
        pytest.param(ethernet(IPV4, ipv4(tcp(CLOSED)), [VLAN] * 3), id="three-vlans"),
        pytest.param(
            ethernet(IPV6, ipv6(tcp(CLOSED), extensions=[(FRAGMENT, b"\0\0\x09" + bytes(4))])),
            id="ipv6-later-fragment",
        ),
        pytest.param(
            ethernet(IPV6, ipv6(tcp(CLOSED), extensions=[(HOP_BY_HOP, b"\xff" + bytes(6))])),
            id="ipv6-extension-past-the-end",
        ),
        pytest.param(
            ethernet(IPV6, ipv6(tcp(CLOSED), extensions=[(DESTINATION, b"\0" + bytes(6))] * 7)),
            id="ipv6-seven-extensions",
        ),
        *(
            pytest.param(tcp_frame(CLOSED)[:length], id=f"cut-at-{length}")
            for length in (14, 15, 33, 34, 37)
        ),
        *(
            pytest.param(ethernet(IPV6, ipv6(tcp(CLOSED)))[:length], id=f"ipv6-cut-at-{length}")
            for length in (53, 54, 57)
        ),
    ],
)
def test_what_has_no_readable_port_passes_unseen(loaded: LoadedObject, frame: bytes) -> None:
    answer = run(loaded.programs[0], frame)
    assert (answer.return_value, answer.data) == (PASS, frame)
    assert (counter(loaded, "pf_seen"), counter(loaded, "pf_dropped")) == (0, 0)


def test_without_settings_everything_passes() -> None:
    with execute(bundled_plan("port-filter")) as made:
        assert run(made.programs[0], tcp_frame(CLOSED)).return_value == PASS
        assert counter(made, "pf_seen") == 1
