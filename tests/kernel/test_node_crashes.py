"""kill -9 of a real process between any two steps, on the running kernel; then the next command."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.builders.compiled import bundled_plan
from tests.builders.live_node import NOW, LiveNode, live_node, playground_name
from tests.builders.packets import udp_frame
from tests.builders.wires import another_name, rename

from skep.chains.deployment import Deployment
from skep.chains.ordering import Before
from skep.digests import Digest
from skep.kernel.network import namespaces
from skep.kernel.pins import PinRoot, is_bpffs
from skep.node.node import Node
from skep.node.observing.link_pins import LINKS, link_name
from skep.node.store.kept import KeptFiles
from skep.node.store.state import SqliteState
from skep.node.wiring import open_node
from skep.node.wiring.host import HostAdapter
from skep.node.wiring.kernel_adapter import KernelAdapter

pytestmark = pytest.mark.kernel

CLOSED, OPEN = 8081, 8080

CHANGES = {
    KernelAdapter: (
        "create_map", "delete_map", "retire_map", "restore_map", "purge_map", "write_entries",
        "load", "attach", "replace", "detach",
    ),
    SqliteState: ("begin", "commit", "end"),
    KeptFiles: ("keep", "forget_except"),
}  # fmt: skip

COMMANDS: dict[str, Callable[[LiveNode, Node], object]] = {
    "install": lambda node, opened: opened.install(
        node.request("ratelimiting", placement=Before("port-filter"))
    ),
    "remove": lambda _, opened: opened.remove("port-filter"),
    "move": lambda _, opened: opened.move("ratelimiting", before="port-filter"),
    "set": lambda _, opened: opened.set("port-filter", {"ports": str(OPEN)}),
    "remove-on": lambda node, opened: opened.remove_all(node.on),
    "repair": lambda _, opened: opened.repair(),
}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    with live_node(tmp_path) as made:
        yield made


def run(node: LiveNode, what: str, at: int) -> int:
    """Run a command in a process that dies by SIGKILL at its change number ``at``.

    Returns:
        The exit code, negative for a signal.
    """
    child = os.fork()
    if child == 0:
        try:
            with node.opened() as opened:
                die_at(at)
                COMMANDS[what](node, opened)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(at: int) -> None:
    left = iter(range(at, -1, -1))

    def dying(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for kind, names in CHANGES.items():
        for name in names:
            setattr(kind, name, dying(getattr(kind, name)))


def start_over(node: LiveNode, what: str) -> None:
    with node.opened() as opened:
        for listed in opened.installed():
            opened.remove(listed.deployment.name)
        opened.install(node.request("port-filter", settings={"ports": str(CLOSED)}))
        if what in {"move", "remove-on"}:
            opened.install(node.request("ratelimiting"))
    no_litter(node)


def deployments(node: LiveNode) -> tuple[Deployment, ...]:
    with SqliteState(node.settings.database) as state:
        return tuple(one.deployment for one in state.installed())


def no_litter(node: LiveNode) -> None:
    """After a change, nothing is kept and no link is pinned that no deployment names."""
    with SqliteState(node.settings.database) as state, PinRoot(node.settings.bpffs) as pins:
        installed = state.installed()
        assert set(pins.names(LINKS)) == {
            link_name(one.deployment.on.hook, one.binding.link, one.binding.identity)
            for one in installed
            if one.binding is not None
        }
    copies = {f"{Digest.parse(one.kept).hexadecimal}.json" for one in installed}
    assert {path.name for path in node.settings.kept.iterdir()} == copies


def check(opened: Node) -> list[str]:
    assert opened.examine() == ()
    listed = opened.installed()
    given = {each.consent for each in opened.consents() if each.outcome == "given"}
    assert {one.installed.consent for one in listed} <= given
    assert all((one.condition, one.maps_missing) == ("running", ()) for one in listed)
    return [one.deployment.name for one in listed]


@pytest.mark.parametrize(
    ("what", "before", "after"),
    [
        ("install", ["port-filter"], ["ratelimiting", "port-filter"]),
        ("remove", ["port-filter"], []),
        ("move", ["port-filter", "ratelimiting"], ["ratelimiting", "port-filter"]),
        ("set", ["port-filter"], ["port-filter"]),
        ("remove-on", ["port-filter", "ratelimiting"], []),
    ],
)
def test_a_kill_at_any_step_is_repaired_by_the_next_command(
    node: LiveNode, what: str, before: list[str], after: list[str]
) -> None:
    kills = 0
    start_over(node, what)
    begun = deployments(node)
    for at in range(40):
        code = run(node, what, at)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        with node.opened() as opened:
            repaired = opened.repair() if at % 2 else opened.recover().done
            assert check(opened) in (before, after), repaired
        if what == "set":
            sent = [udp_frame(CLOSED), udp_frame(OPEN)]
            assert node.deliver(sent) in ([udp_frame(CLOSED)], [udp_frame(OPEN)])
        if deployments(node) != begun:  # otherwise the change was undone, and may be tried again
            start_over(node, what)
    assert kills >= 3
    with node.opened() as opened:
        assert check(opened) == after
    no_litter(node)


def test_programs_run_on_while_nobody_is_there(node: LiveNode) -> None:
    node.install("port-filter", ports=str(CLOSED))
    run(node, "remove", 1)  # killed before the chain is touched
    assert node.deliver([udp_frame(CLOSED), udp_frame(OPEN)]) == [udp_frame(OPEN)]


def test_the_doctor_lists_and_repairs_what_a_kill_left(node: LiveNode) -> None:
    node.install("port-filter", ports=str(CLOSED))
    # Two copies are kept; begin, load, replace.
    steps_before_commit = 2 + 1 + len(bundled_plan("ratelimiting").maps) + 3 + 1
    assert run(node, "install", steps_before_commit) == -signal.SIGKILL
    with node.opened() as opened:
        found = {finding.kind for finding in opened.examine()}
        assert found == {"change interrupted", "chain not as declared", "maps without deployment"}
        assert found == {finding.kind for finding in opened.examine()}
        assert all(finding.repaired for finding in opened.repair())
        assert check(opened) == ["port-filter"]


def damage(node: LiveNode, renamed: str) -> None:
    """An interrupted change, an interface of another name, and no link."""
    start_over(node, "set")
    assert run(node, "set", 2) == -signal.SIGKILL
    rename(node.on.target, renamed)
    with PinRoot(node.settings.bpffs) as pins:
        pins.remove(LINKS, *pins.names(LINKS))


def test_a_kill_while_the_doctor_repairs_is_repaired_by_the_next_command(node: LiveNode) -> None:
    kills = 0
    renamed = another_name()
    for at in range(40):
        damage(node, renamed)
        code = run(node, "repair", at)
        assert code in {0, -signal.SIGKILL}
        kills += code != 0
        with node.opened() as opened:
            repaired = opened.repair()
            assert check(opened) == ["port-filter"], repaired
            (listed,) = opened.installed()
            assert (listed.called, listed.deployment.on.target) == (None, renamed)
        with node.opened() as opened:
            opened.set("port-filter", {"ports": f"{CLOSED},{OPEN}"})  # a change: it clears up
        no_litter(node)
        with node.opened() as opened:
            opened.remove("port-filter")
        rename(renamed, node.on.target)
        if code == 0:
            break
    assert kills >= 5


DEMO = """
import signal, sys, time, subprocess
from pathlib import Path
from skep.kernel.pins import mount_bpffs
from skep.node.settings import NodeSettings
from skep.node.wiring.playgrounds import open_playground

signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
settings = NodeSettings(Path(sys.argv[1]), Path(sys.argv[2]))
with open_playground(settings, sys.argv[3]) as playground:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    playground.note_process(child.pid)
    mount = playground.directory / "bpf"
    playground.note_mount(mount)
    mount_bpffs(mount)
    (playground.directory / "file").write_text("x")
    print(child.pid, flush=True)
    {ending}
"""


def demo(node: LiveNode, name: str, ending: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable, "-c", DEMO.replace("{ending}", ending),
            str(node.settings.root), str(node.settings.bpffs), name,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def nothing_left(node: LiveNode, name: str, child: int) -> bool:
    directory = node.settings.demo / name
    return not (
        directory.exists()
        or is_bpffs(directory / "bpf")
        or name in namespaces()
        or Path(f"/sys/class/net/{name}").exists()
        or alive(child)
    )


def test_a_killed_demonstration_is_found_and_cleared_by_the_doctor(node: LiveNode) -> None:
    name = playground_name()
    with demo(node, name, "time.sleep(600)") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        with node.opened() as opened:
            assert opened.examine() == ()  # it is alive
        process.kill()
    assert not nothing_left(node, name, child)
    with open_node(node.settings, lambda: NOW, HostAdapter) as opened:
        (finding,) = opened.repair()
        assert (finding.kind, finding.subject) == ("playground left behind", name)
        assert "ended process" in finding.repaired
        assert opened.examine() == ()
    assert nothing_left(node, name, child)


@pytest.mark.parametrize("ending", ["pass", "raise RuntimeError", "time.sleep(600)"])
def test_a_demonstration_that_ends_leaves_nothing(node: LiveNode, ending: str) -> None:
    name = playground_name()
    with demo(node, name, ending) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        if ending.startswith("time"):
            process.send_signal(signal.SIGINT)
    assert nothing_left(node, name, child)
