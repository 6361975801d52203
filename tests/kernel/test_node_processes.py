"""Several real processes at one node: who looks sees committed states, who changes waits.

And Ctrl-C, at every moment of the real commands.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.builders.commands import Ran, Skep
from tests.builders.live_node import NOW, LiveNode, live_node
from tests.builders.packets import udp_frame

from skep.chains.ordering import Before
from skep.node.locking import NodeBusy, locked
from skep.node.node import Node
from skep.node.store.state import SqliteState
from skep.node.wiring import open_node
from skep.node.wiring.host import HostAdapter

pytestmark = pytest.mark.kernel

CLOSED, OPEN = 8081, 8080
# When a command is interrupted: as parts of the time it takes. The two ends do not depend on how
# busy the machine is.
ENDS = ("before", "afterwards")
_BETWEEN = [number / 19 for number in range(1, 19)]
MOMENTS: list[tuple[float | str, ...]] = [ENDS, *(tuple(_BETWEEN[part::3]) for part in range(3))]
# What test_chain_* commits, in its order.
COMMITTED = (
    ["port-filter"],
    ["port-filter", "ratelimiting"],
    ["ratelimiting", "port-filter"],
)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    with live_node(tmp_path) as made:
        made.install("port-filter", ports=str(CLOSED))
        yield made


def one_round(node: LiveNode, opened: Node) -> None:
    opened.install(node.request("ratelimiting"))
    opened.set("port-filter", {"ports": str(OPEN)})
    opened.move("ratelimiting", before="port-filter")
    opened.set("port-filter", {"ports": str(CLOSED)})
    opened.remove("ratelimiting")


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Do something in another process; gives whether it is still at it."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            raise
        finally:
            os._exit(1)
    codes: list[int] = []

    def is_busy() -> bool:
        if not codes:
            ended, status = os.waitpid(child, os.WNOHANG)
            codes.extend([os.waitstatus_to_exitcode(status)] if ended else [])
        return not codes

    try:
        yield is_busy
    finally:
        while is_busy():
            time.sleep(0.01)
    assert codes == [0]


def rounds(node: LiveNode, until: Path) -> Callable[[], None]:
    """Changes, round after round until a file is there."""

    def work() -> None:
        with node.opened() as opened:
            while not until.exists():
                one_round(node, opened)

    return work


def several(skep: Skep, look: str) -> Callable[[], list[Ran]]:
    """Looks that got their turn; on a busy machine one may give up waiting, and says so."""

    def work() -> list[Ran]:
        said: list[Ran] = []
        for _ in range(30):
            ran = skep(look, "--json")
            said += [] if "another command is changing this node" in ran.err else [ran]
            if len(said) == 5:
                break
        return said

    return work


def together(work: dict[str, Callable[[], list[Ran]]]) -> dict[str, list[Ran]]:
    """Do several things in threads."""
    found: dict[str, list[Ran]] = {}

    def run(name: str) -> None:
        found[name] = work[name]()

    threads = [threading.Thread(target=run, args=(name,)) for name in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def check_list(ran: Ran) -> None:
    assert (ran.code, ran.err) == (0, ""), ran
    assert ran.document["interrupted"] == ran.document["damaged"] == []
    listed = ran.documents("deployments")
    assert [one["name"] for one in listed] in COMMITTED
    assert {(one["condition"], json.dumps(one["maps_missing"])) for one in listed} == {
        ("running", "[]")
    }, ran


def check_chain(ran: Ran) -> None:
    assert (ran.code, ran.err) == (0, ""), ran
    (chain,) = ran.documents("chains")
    assert chain["condition"] == "running"
    members = chain["members"]
    assert isinstance(members, list)
    assert [one["name"] for one in members] in COMMITTED
    assert all(one["metrics"] for one in members)


def check_doctor(ran: Ran) -> None:
    assert (ran.code, ran.err) == (0, ""), ran
    assert ran.document["findings"] == []


CHECKS: dict[str, Callable[[Ran], None]] = {
    "list": check_list,
    "chain": check_chain,
    "doctor": check_doctor,
}


@pytest.mark.parametrize("looks", [("list",), ("list", "chain", "doctor")])
def test_who_looks_beside_changes_sees_what_is_committed(
    node: LiveNode, looks: tuple[str, ...], tmp_path: Path
) -> None:
    enough = tmp_path / "enough"
    with beside(rounds(node, enough)) as is_busy:
        try:
            said = together({look: several(node.skep, look) for look in looks})
            assert is_busy()
        finally:
            enough.touch()
    for look, ran in said.items():
        assert ran
        for each in ran:
            CHECKS[look](each)


def test_changes_of_several_processes_wait_for_each_other(node: LiveNode) -> None:
    def other(name: str) -> Callable[[], None]:
        def work() -> None:
            with node.opened() as opened:
                for _ in range(3):
                    opened.install(replace(node.request("ratelimiting"), name=name))
                    opened.set(name, {"ports": str(CLOSED)})
                    opened.remove(name)

        return work

    with beside(other("first")), beside(other("second")), beside(other("third")):
        pass
    with node.opened() as opened:
        assert opened.examine() == ()
        assert [one.deployment.name for one in opened.installed()] == ["port-filter"]
        assert {entry.outcome for entry in opened.history()} == {"done"}
        assert len(opened.history()) == 1 + 3 * 3 * 3
    assert node.deliver([udp_frame(CLOSED), udp_frame(OPEN)]) == [udp_frame(OPEN)]


def test_a_command_waits_for_another_and_then_does_its_work(node: LiveNode) -> None:
    with locked(node.settings.lock, 1):
        words = node.skep.words("set", "port-filter", f"ports={OPEN}")
        waiting = subprocess.Popen(words, env=node.skep.variables, stdout=subprocess.DEVNULL)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)
        assert node.deliver([udp_frame(CLOSED), udp_frame(OPEN)]) == [udp_frame(OPEN)]
    assert waiting.wait(30) == 0
    assert node.deliver([udp_frame(CLOSED), udp_frame(OPEN)]) == [udp_frame(CLOSED)]


def test_a_node_is_busy_only_after_the_waiting_time(node: LiveNode) -> None:
    impatient = replace(node.settings, lock_seconds=0.4)
    with locked(node.settings.lock, 1), open_node(impatient, lambda: NOW, HostAdapter) as opened:
        began = time.monotonic()
        with pytest.raises(NodeBusy):
            opened.remove("port-filter")
        assert time.monotonic() - began >= 0.4
    assert node.chain() == ["port-filter"]


def test_the_doctor_finds_nothing_in_half_of_a_change(
    node: LiveNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skep.node.wiring.LOOKING_SECONDS", 0.1)
    state = SqliteState(node.settings.database)
    entry = state.begin("a change that takes long", [], "2026-11-23T08:00:00Z")
    with node.opened() as opened:
        with locked(node.settings.lock, 1), opened.look() as look:
            (finding,) = opened.examine()
            assert (finding.kind, finding.is_information) == ("change in progress", True)
            assert look.doubt is not None
        assert [each.kind for each in opened.examine()] == ["change interrupted"]
    state.end(entry, "undone", "2026-11-23T08:00:00Z")
    state.close()


# Ctrl-C ------------------------------------------------------------------------------------------

# Commands without the time Python takes to start: each is a process of its own, forked from one
# that has imported everything. Reads words and when to interrupt; prints the exit code.
FORKING = """
import gc, importlib, json, os, signal, sys, time
import skep.__main__
for name in (
    "cli.install", "cli.consenting", "cli.nodes", "cli.obtaining", "cli.changing",
    "cli.configuring", "cli.set", "cli.move", "cli.remove", "cli.removing", "cli.assignments",
    "cli.interrupts", "cli.licence_rows", "node.wiring", "node.deploying.documents",
    "node.deploying.installing", "node.looking.documents", "hooks.table", "packages.references",
):
    importlib.import_module("skep." + name)
gc.freeze()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the command is about to begin
for line in sys.stdin:
    words, after = json.loads(line)
    begin, let_begin = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(let_begin)
        os.read(begin, 1)  # nothing comes; it is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        skep.__main__.run(words)
    if after == "before":
        os.kill(child, signal.SIGINT)
    os.close(begin)
    os.close(let_begin)
    if after == "afterwards":
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # it has ended and can be asked for
        os.kill(child, signal.SIGINT)
    elif after not in (None, "before"):
        time.sleep(after)
        os.kill(child, signal.SIGINT)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forked:
    """Runs commands that are interrupted."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, *words: str, after: float | str | None = None) -> tuple[int, float]:
        """Run a command, with SIGINT after some seconds, ``before`` or ``afterwards``.

        Gives its exit code and duration.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        began = time.monotonic()
        self._process.stdin.write(json.dumps([words, after]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), time.monotonic() - began


@pytest.fixture
def forked(node: LiveNode) -> Iterator[Forked]:
    with subprocess.Popen(
        [sys.executable, "-c", FORKING],
        env=node.skep.variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield Forked(process)


@dataclass(frozen=True)
class Step:
    """A command, the same without one, and the chain that it makes."""

    words: tuple[str, ...]
    do: Callable[[Node], object]
    names: tuple[str, ...]
    ports: int


def steps(node: LiveNode, ports: int, new_ports: int) -> tuple[Step, ...]:
    """Changes one after the other that end as they began, but for a setting."""
    both = ("ratelimiting", "port-filter")
    install = ("install", "skep/ratelimiting:1.0.0", "--before", "port-filter", "--yes", "--on")
    return (
        Step(
            (*install, str(node.on)),
            lambda opened: opened.install(
                node.request("ratelimiting", placement=Before("port-filter"))
            ),
            both,
            ports,
        ),
        Step(
            ("set", "port-filter", f"ports={new_ports}"),
            lambda opened: opened.set("port-filter", {"ports": str(new_ports)}),
            both,
            new_ports,
        ),
        Step(
            ("move", "ratelimiting", "--after", "port-filter"),
            lambda opened: opened.move("ratelimiting", after="port-filter"),
            both[::-1],
            new_ports,
        ),
        Step(
            ("remove", "ratelimiting"),
            lambda opened: opened.remove("ratelimiting"),
            both[1:],
            new_ports,
        ),
    )


def committed(node: LiveNode) -> tuple[tuple[str, ...], int]:
    """Names and ports, once it was seen that nothing is wrong."""
    with node.opened() as opened:
        assert opened.examine() == ()
        listed = opened.installed()
    assert {(one.condition, one.maps_missing) for one in listed} == {("running", ())}
    found = {one.deployment.name: dict(one.deployment.settings) for one in listed}
    return tuple(found), int(found["port-filter"]["ports"])


@pytest.mark.parametrize("moments", MOMENTS, ids=["ends", "early", "later", "latest"])
def test_ctrl_c_leaves_nothing_half_done(
    node: LiveNode, forked: Forked, moments: tuple[float | str, ...]
) -> None:
    whole = []
    for step in steps(node, CLOSED, OPEN):
        code, seconds = forked(*step.words)
        assert code == 0
        whole.append(seconds)
    outcomes = set()
    before = committed(node)
    for turn, moment in enumerate(moments):
        ports = (OPEN, CLOSED) if turn % 2 == 0 else (CLOSED, OPEN)
        for step, seconds in zip(steps(node, *ports), whole, strict=True):
            after_seconds = moment if isinstance(moment, str) else seconds * moment
            code, _ = forked(*step.words, after=after_seconds)
            after = committed(node)
            is_done = after != before
            assert after in (before, (step.names, step.ports))
            # 130 also if it was asked for at the last moment: what is done is done. Before the
            # command has begun, which takes longer on a busy machine, the signal just ends it.
            assert code in {0, 130} or (code, is_done) == (-signal.SIGINT, False)
            assert is_done or code != 0
            outcomes.add((step.words[0], is_done))
            if not is_done:
                with node.opened() as opened:
                    step.do(opened)
            before = (step.names, step.ports)
    if moments == ENDS:
        both = {(step.words[0], done) for step in steps(node, *ports) for done in (0, 1)}
        assert outcomes == both
    sent = [udp_frame(CLOSED), udp_frame(OPEN)]
    assert node.deliver(sent) == [udp_frame(port) for port in (CLOSED, OPEN) if port != ports[1]]


PYTHON_BEGINS = (b"Fatal Python error: init", b"Could not import runpy module")


def test_ctrl_c_to_the_real_command(node: LiveNode) -> None:
    """From its start on: until its commands are loaded the signal just ends it."""
    words = node.skep.words("set", "port-filter", f"ports={OPEN}")
    for moment in range(6):
        process = subprocess.Popen(
            words,
            env=node.skep.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        time.sleep(0.05 + moment * 0.08)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        # Python itself may be what it ended, while it begins (1) or while it loads the commands.
        has_begun = not any(each in said for each in PYTHON_BEGINS)
        assert process.returncode in {0, 130, -signal.SIGINT} if has_begun else {1}, said
        told = b"".join(
            line for line in said.splitlines(keepends=True) if not line.startswith(b"undo: ")
        )
        expected = (
            not has_begun
            or told in {b"", b"interrupted\n"}
            or told.startswith(b"interrupted after the change")
        )
        assert expected or process.returncode == -signal.SIGINT
        with node.opened() as opened:
            assert opened.examine() == ()
            opened.set("port-filter", {"ports": str(CLOSED)})
