"""What ratelimiting lets through, in the running kernel and its own time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from tests.builders.compiled import bundled_plan
from tests.builders.loaded_objects import LoadedObject, execute
from tests.builders.packets import (
    ACK,
    FIN,
    RST,
    SYN,
    UDP,
    ethernet,
    ipv4,
    ipv6,
    tcp,
    tcp_frame,
    udp,
)

from skep.kernel.maps import LoadedMap
from skep.kernel.running import test_run as run

pytestmark = pytest.mark.kernel

DROP, PASS = 1, 2
LIMITED, FREE = 80, 81
IPV4, IPV6, VLAN, QINQ = 0x0800, 0x86DD, 0x8100, 0x88A8
SECOND = 10**9

T = TypeVar("T")


@contextmanager
def limiter() -> Iterator[LoadedObject]:
    with execute(bundled_plan("ratelimiting")) as made:
        map_of(made, "rl_ports").update(LIMITED.to_bytes(2, "little"), b"\1")
        yield made


@pytest.fixture
def loaded() -> Iterator[LoadedObject]:
    with limiter() as made:
        yield made


def map_of(made: LoadedObject, name: str) -> LoadedMap:
    return next(each for each in made.maps if each.name == name)


def set_rate(made: LoadedObject, rate: int) -> None:
    map_of(made, "rl_config").update(bytes(4), rate.to_bytes(8, "little"))


def counters(made: LoadedObject) -> tuple[int, int]:
    received, dropped = (
        sum(int.from_bytes(v, "little") for v in map_of(made, name).lookup_per_cpu(bytes(4)))
        for name in ("rl_received", "rl_dropped")
    )
    return received, dropped


def set_window(made: LoadedObject, start: int, connections: int) -> None:
    map_of(made, "rl_windows").update(
        start.to_bytes(8, "little"), connections.to_bytes(8, "little")
    )


def in_one_second(rate: int, act: Callable[[LoadedObject, int], T]) -> T:
    """Do something that begins and ends in one second of the kernel's clock.

    Args:
        rate: of the program that is given to ``act``, freshly loaded.
        act: gets the start of the second; done again if a busy machine did not finish it in time.
    """
    for _ in range(60):
        now = time.monotonic_ns()
        if SECOND - now % SECOND < 0.5 * SECOND:
            time.sleep((SECOND - now % SECOND) / SECOND + 0.001)
        with limiter() as made:
            set_rate(made, rate)
            second = time.monotonic_ns() // SECOND
            done = act(made, second * SECOND)
            if time.monotonic_ns() // SECOND == second:
                return done
    pytest.fail("this machine is too busy to send a few packets in one second")


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(tcp_frame(LIMITED), id="plain"),
        pytest.param(tcp_frame(LIMITED, SYN | 0xC0), id="with-ecn-flags"),
        pytest.param(ethernet(IPV4, ipv4(tcp(LIMITED)), [VLAN]), id="vlan"),
        pytest.param(ethernet(IPV4, ipv4(tcp(LIMITED)), [QINQ, VLAN]), id="two-vlans"),
        pytest.param(ethernet(IPV4, ipv4(tcp(LIMITED), options=b"\1" * 8)), id="ip-options"),
        pytest.param(ethernet(IPV6, ipv6(tcp(LIMITED))), id="ipv6"),
        pytest.param(
            ethernet(IPV6, ipv6(tcp(LIMITED), extensions=[(60, b"\0" + bytes(6))])),
            id="ipv6-extension",
        ),
        pytest.param(
            ethernet(IPV4, ipv4(tcp(LIMITED)[:8], more=True))[:42], id="fragment-before-its-flags"
        ),
    ],
)
def test_a_new_connection_counts_in_every_shape_of_packet(
    loaded: LoadedObject, frame: bytes
) -> None:
    set_rate(loaded, 0)
    assert run(loaded.programs[0], frame).return_value == DROP
    assert counters(loaded) == (1, 1)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(tcp_frame(FREE), id="other-port"),
        pytest.param(tcp_frame(LIMITED, SYN | ACK), id="answer"),
        pytest.param(tcp_frame(LIMITED, ACK), id="established"),
        pytest.param(tcp_frame(LIMITED, FIN | ACK), id="end"),
        pytest.param(tcp_frame(LIMITED, RST), id="reset"),
        pytest.param(tcp_frame(LIMITED, 0), id="no-flags"),
        pytest.param(ethernet(IPV4, ipv4(udp(LIMITED), protocol=UDP)), id="udp"),
        pytest.param(ethernet(IPV4, ipv4(tcp(LIMITED), fragment=3)), id="later-fragment"),
        pytest.param(ethernet(0x0806, tcp(LIMITED)), id="arp"),
        pytest.param(tcp_frame(LIMITED)[:37], id="cut-before-the-ports"),
        pytest.param(tcp_frame(LIMITED)[:47], id="cut-before-the-flags"),
    ],
)
def test_everything_else_passes_uncounted(loaded: LoadedObject, frame: bytes) -> None:
    set_rate(loaded, 0)
    answer = run(loaded.programs[0], frame)
    assert (answer.return_value, answer.data) == (PASS, frame)
    assert counters(loaded) == (0, 0)


def test_no_more_than_the_rate_gets_through_in_a_second() -> None:
    def twenty(loaded: LoadedObject, _second: int) -> tuple[list[int], tuple[int, int]]:
        verdicts = [run(loaded.programs[0], tcp_frame(LIMITED)).return_value for _ in range(20)]
        return verdicts, counters(loaded)

    assert in_one_second(5, twenty) == ([PASS] * 5 + [DROP] * 15, (20, 15))


def test_the_second_before_counts_for_what_is_left_of_it() -> None:
    def a_hundred(loaded: LoadedObject, second: int) -> tuple[float, tuple[int, int]]:
        set_window(loaded, second - SECOND, 100)
        for _ in range(100):
            run(loaded.programs[0], tcp_frame(LIMITED))
        return (time.monotonic_ns() - second) / SECOND, counters(loaded)

    elapsed, (received, dropped) = in_one_second(100, a_hundred)
    # Of the 100 before, at least (1 - elapsed) still count, so no more than 100 * elapsed pass.
    assert received == 100
    assert received - dropped <= 100 * elapsed + 2


def test_an_older_second_does_not_count() -> None:
    def one(loaded: LoadedObject, second: int) -> int:
        set_window(loaded, second - 2 * SECOND, 100)
        return run(loaded.programs[0], tcp_frame(LIMITED)).return_value

    assert in_one_second(5, one) == PASS


def test_the_rate_can_change_while_it_runs(loaded: LoadedObject) -> None:
    set_rate(loaded, 0)
    assert run(loaded.programs[0], tcp_frame(LIMITED)).return_value == DROP
    set_rate(loaded, 1000)
    assert run(loaded.programs[0], tcp_frame(LIMITED)).return_value == PASS


@pytest.mark.parametrize("rate", [2**64 - 1, 2**64 // 100 + 1])
def test_a_huge_rate_limits_nothing(rate: int) -> None:
    def a_thousand(loaded: LoadedObject, second: int) -> tuple[int, tuple[int, int]]:
        set_window(loaded, second - SECOND, 1000)
        answer = run(loaded.programs[0], tcp_frame(LIMITED), repeat=1000)
        return answer.return_value, counters(loaded)

    assert in_one_second(rate, a_thousand) == (PASS, (1000, 0))
