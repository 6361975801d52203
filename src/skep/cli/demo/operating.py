"""The operator's part of the demo: install, send traffic, change settings and order, remove."""

import time
from contextlib import ExitStack
from dataclasses import replace

from skep.cli.demo.frames import syn_frames, udp_frame
from skep.cli.demo.steps import DemoSteps
from skep.cli.demo.traffic import Send, SteadyTraffic, path_into, send_paced
from skep.cli.environment import Environment
from skep.cli.interrupts import deferred_interrupts
from skep.cli.nodes import host, node_settings
from skep.clock import system_clock
from skep.errors import SkepError
from skep.hooks.table import HookTarget
from skep.node.converging.consenting import YesToAll
from skep.node.deploying.installing import InstallRequest
from skep.node.node import Node
from skep.node.playground import Playground
from skep.node.wiring import open_node
from skep.node.wiring.playgrounds import open_peer_socket
from skep.packages.references import parse_reference

_FILTER, _LIMIT = "port-filter", "ratelimiting"
_CLOSED_PORT, _OPEN_PORT, _LIMITED_PORT = 9, 53, 8080
_UNLIMITED = "1000000/s"
_YES = YesToAll("the demonstration")  # its own programs, on its own interface
_PATIENCE_SECONDS = 2.0

Counters = dict[str, dict[str, int]]


class DemoFailed(SkepError):
    """The kernel did not do what the demo says it does."""


def operate(
    environment: Environment,
    playground: Playground,
    opened: ExitStack,
    steps: DemoSteps,
    *,
    keep: bool,
) -> None:
    """Run both packages as one chain on the playground's interface and change it under traffic.

    Raises:
        DemoFailed: a count is not what it must be.
    """
    on = HookTarget("xdp", playground.interface)
    settings = replace(node_settings(environment), is_temporary=True)
    with deferred_interrupts():
        playground.note_mount(settings.bpffs)
        node = opened.enter_context(open_node(settings, system_clock, host))
        send = opened.enter_context(open_peer_socket(playground)).send
    path = path_into(playground)

    with deferred_interrupts(), steps.step("chain both on XDP of the interface") as step:
        for name, values in (
            (_FILTER, {"ports": str(_CLOSED_PORT)}),
            (_LIMIT, {"ports": str(_LIMITED_PORT), "rate": "100/s"}),
        ):
            reference = parse_reference(f"skep/{name}:1.0.0")
            request = InstallRequest(reference=reference, on=on, settings=values, answer=_YES)
            report = node.install(request)
        step.result = f"{' → '.join(report.chain)}, one program in the kernel"
        step.facts = {"chain": [*report.chain]}

    with deferred_interrupts(), steps.step("send traffic") as step:
        sent = send_paced(send, [udp_frame(path, _CLOSED_PORT)] * 300)
        sent += send_paced(send, [udp_frame(path, _OPEN_PORT)] * 300)
        sent += send_paced(send, syn_frames(path, _LIMITED_PORT, 500))
        counted = _counters(node, sent)
        step.result = f"{sent} packets"
        step.lines = _counter_lines(counted)
        step.facts = {"sent": sent, "counters": counted}
        _expect(counted[_FILTER] == {"seen": 1100, "dropped": 300}, counted)
        _expect(counted[_LIMIT]["received"] == 500, counted)
        _expect(250 <= counted[_LIMIT]["dropped"] <= 400, counted)

    with deferred_interrupts(), steps.step(f"set {_LIMIT} rate={_UNLIMITED}, live") as step:
        before = _counters(node)
        node.set(_LIMIT, {"rate": _UNLIMITED})
        sent = send_paced(send, syn_frames(path, _LIMITED_PORT, 500))
        gained = _gained(before, _counters(node, before[_FILTER]["seen"] + sent))
        step.result = f"{sent} more: {gained[_LIMIT]['dropped']} dropped"
        step.facts = {"sent": sent, "gained": gained}
        _expect(gained[_LIMIT] == {"received": 500, "dropped": 0}, gained)

    both = f"{_CLOSED_PORT},{_LIMITED_PORT}"
    with deferred_interrupts(), steps.step(f"set {_FILTER} ports={both}, live") as step:
        before = _counters(node)
        node.set(_FILTER, {"ports": both})
        sent = send_paced(send, syn_frames(path, _LIMITED_PORT, 500))
        gained = _gained(before, _counters(node, before[_FILTER]["seen"] + sent))
        step.result = (
            f"{sent} more: {_FILTER} dropped {gained[_FILTER]['dropped']}, "
            f"{_LIMIT} saw {gained[_LIMIT]['received']}"
        )
        step.facts = {"sent": sent, "gained": gained}
        _expect(gained[_FILTER]["dropped"] == 500 and gained[_LIMIT]["received"] == 0, gained)
        node.set(_FILTER, {"ports": str(_CLOSED_PORT)})

    _swap_under_traffic(node, send, next(syn_frames(path, _LIMITED_PORT, 1)), steps)

    if keep:
        return
    with deferred_interrupts(), steps.step("remove both") as step:
        for name in (_LIMIT, _FILTER):
            node.remove(name)
        step.result = "the interface is as it was"
        _expect(not node.installed(), {})


def _swap_under_traffic(node: Node, send: Send, frame: bytes, steps: DemoSteps) -> None:
    """Reorder again and again while packets flow; each must be seen by both, exactly once."""
    with deferred_interrupts(), steps.step("swap the order under traffic, six times") as step:
        before = _counters(node)
        with SteadyTraffic(send, frame) as traffic:
            for round_number in range(6):
                first = _LIMIT if round_number % 2 == 0 else _FILTER
                second = _FILTER if first == _LIMIT else _LIMIT
                node.move(first, before=second)
        gained = _gained(before, _counters(node, before[_FILTER]["seen"] + traffic.sent))
        step.result = f"{traffic.sent} packets, each seen by both, once; none lost"
        step.facts = {"sent": traffic.sent, "gained": gained}
        _expect(gained[_FILTER]["seen"] == traffic.sent, gained | {"sent": {"": traffic.sent}})
        _expect(gained[_LIMIT]["received"] == traffic.sent, gained | {"sent": {"": traffic.sent}})


def _counters(node: Node, expected_seen: int = 0) -> Counters:
    """What both count, once the last packet sent has arrived or patience has ended."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        found = {
            name: {metric.name: metric.value or 0 for metric in node.metrics(name)}
            for name in (_FILTER, _LIMIT)
        }
        if found[_FILTER]["seen"] >= expected_seen or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def _gained(before: Counters, after: Counters) -> Counters:
    return {
        name: {counter: value - before[name][counter] for counter, value in counters.items()}
        for name, counters in after.items()
    }


def _counter_lines(counters: Counters) -> list[str]:
    width = max(map(len, counters))
    return [
        f"{name:<{width}}  " + "  ".join(f"{key} {value}" for key, value in values.items())
        for name, values in counters.items()
    ]


def _expect(holds: bool, counted: Counters) -> None:  # noqa: FBT001 - an assertion in words
    if not holds:
        raise DemoFailed(
            f"the counters are not what they must be: {counted}",
            hint="other traffic on the interface, or a defect: please report it",
        )
