"""What others did to a node, and what its surroundings refuse it, on the running kernel."""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from tests.builders.live_node import LiveNode, live_node
from tests.builders.packets import udp_frame

from skep.bytecode.linking.plan import MapPlan
from skep.kernel.maps import create_map
from skep.kernel.pins import PinRoot
from skep.node.locking import locked
from skep.node.observing.pins import MAPS
from skep.node.observing.wiring import LOOKING_SECONDS

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


# Disks that are full or read-only, and a database that is lost ------------------------------


@contextmanager
def read_only(root: Path) -> Iterator[None]:
    """The node's directory as on a file system that was remounted read-only."""
    # With the pins, which are on a file system of their own.
    subprocess.run(["mount", "--rbind", root, root], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", root], check=True)


@contextmanager
def full(root: Path) -> Iterator[None]:
    """The node's directory on a file system without room; what is in it is copied there."""
    copy = root.with_name("copy")
    copy.mkdir()
    pins = root / "bpf"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", copy], check=True)
    try:
        for each in root.iterdir():
            if each.name != pins.name:
                subprocess.run(["cp", "-a", each, copy], check=True)
        (copy / pins.name).mkdir()
        subprocess.run(["mount", "--bind", pins, copy / pins.name], check=True)
        subprocess.run(["mount", "--rbind", copy, root], check=True)
        subprocess.run(["dd", "if=/dev/zero", f"of={root}/filling", "bs=4k"], check=False)
        yield
    finally:
        subprocess.run(["umount", "-l", root], check=False)
        subprocess.run(["umount", "-R", "-l", copy], check=False)


@contextmanager
def damaged(root: Path) -> Iterator[None]:
    (root / "node.db").write_bytes(b"not a database" * 1000)
    yield


@contextmanager
def of_a_newer_version(root: Path) -> Iterator[None]:
    with closing(sqlite3.connect(root / "node.db")) as connection:
        connection.execute("PRAGMA user_version = 999")
    yield


@pytest.mark.parametrize("surroundings", [read_only, full])
def test_looking_works_where_nothing_can_be_written(
    node: LiveNode, surroundings: Callable[[Path], AbstractContextManager[None]]
) -> None:
    with surroundings(node.settings.root):
        listed = node.skep("list")
        assert (listed.code, listed.err) == (0, "")
        assert "running" in listed.out
        assert node.skep("doctor").code == 0
        assert node.skep("chain", node.on).code == 0


@pytest.mark.parametrize(
    ("surroundings", "code"), [(read_only, 10), (full, 9), (damaged, 3), (of_a_newer_version, 8)]
)
def test_a_program_can_be_taken_off_whatever_became_of_the_database(
    node: LiveNode, surroundings: Callable[[Path], AbstractContextManager[None]], code: int
) -> None:
    with surroundings(node.settings.root):
        refused = node.skep("remove", "port-filter")
        assert refused.code == code
        assert node.deliver(SENT) == [udp_frame(OPEN)]
        removed = node.skep("remove", "--on", node.on)
        assert removed.code == code
        assert "removed the link" in removed.out
        assert "only the program was detached" in removed.err
        assert node.deliver(SENT) == SENT
        if code > 8:
            assert "not running" in node.skep("list").out
    if code == 10:
        assert node.skep("remove", "port-filter").code == 0


def test_looking_leaves_the_directory_as_it_was(node: LiveNode) -> None:
    before = node.settings.root.stat().st_mtime_ns, sorted(node.settings.root.iterdir())
    for words in (("list",), ("chain", node.on), ("doctor",)):
        assert node.skep(*words).code == 0
    assert before == (node.settings.root.stat().st_mtime_ns, sorted(node.settings.root.iterdir()))


# Interrupts, and outputs that cannot be written ----------------------------------------------

# A command that is interrupted the moment it attaches: between two calls of bpf(2).
INTERRUPTED = """
import os, signal, sys
from skep.cli.main import run
from skep.node.wiring.kernel_adapter import KernelAdapter
for name in ("attach", "detach", "write_entries"):
    def interrupted(self, *given, _real=getattr(KernelAdapter, name)):
        os.kill(os.getpid(), signal.SIGINT)
        return _real(self, *given)
    setattr(KernelAdapter, name, interrupted)
run(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("words", "done"),
    [
        (("set", "port-filter", f"ports={OPEN}"), f"port-filter: ports={OPEN}, in force now"),
        (("remove", "port-filter"), "removed port-filter from"),
    ],
)
def test_an_interrupt_during_a_change_says_that_it_was_made(
    node: LiveNode, words: tuple[str, ...], done: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *words],
        env=node.skep.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 130
    assert ended.stdout.startswith(done)
    assert f"interrupted after the change was made: {done}" in ended.stderr
    assert node.deliver(SENT) != [udp_frame(OPEN)]


def test_a_change_is_told_also_if_its_outcome_cannot_be_written(node: LiveNode) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            node.skep.words("remove", "port-filter"),
            env=node.skep.variables,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 9
    assert "the change was made: removed port-filter" in ended.stderr
    assert "try again" not in ended.stderr


# What the next start or change would fail at ---------------------------------------------------


def untrust(root: Path) -> None:
    shutil.rmtree(root / "trust" / "skep")


def lose_content(root: Path) -> None:
    shutil.rmtree(root / "content")


def alter_blobs(root: Path) -> None:
    for path in (root / "content" / "blobs" / "sha256").iterdir():
        path.write_bytes(b"x" + path.read_bytes()[1:])


def break_index(root: Path) -> None:
    (root / "content" / "index.json").write_text("{")


def open_trust(root: Path) -> None:
    (root / "trust").chmod(0o777)


def lose_copies(root: Path) -> None:
    shutil.rmtree(root / "kept")


def alter_copies(root: Path) -> None:
    for path in (root / "kept").iterdir():
        path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (untrust, "package unusable"),
        (lose_content, "package unusable"),
        (alter_blobs, "package unusable"),
        (break_index, "package unusable"),
        (open_trust, "trust unsafe"),
        (lose_copies, "copy lost"),
        (alter_copies, "copy lost"),
    ],
)
def test_the_doctor_says_what_the_next_start_would_fail_at(
    node: LiveNode, damage: Callable[[Path], None], kind: str
) -> None:
    damage(node.settings.root)
    found = node.skep("doctor", "--json")
    assert found.code == 12
    assert kind in {one["kind"] for one in found.documents("findings")}
    assert node.skep("doctor", "--repair").code == (0 if kind == "copy lost" else 12)
    assert node.deliver(SENT) == [udp_frame(OPEN)]


def test_a_lock_that_cannot_be_opened_is_not_another_command(node: LiveNode) -> None:
    lock = node.settings.lock
    lock.unlink()
    lock.symlink_to("elsewhere")
    listed = node.skep("list")
    assert listed.code == 0
    assert "another command" not in listed.err
    assert f"could not open the lock file {lock}" in listed.err
    doctor = node.skep("doctor")
    assert doctor.code == 12
    assert "no change can be made" in doctor.out


@pytest.mark.parametrize("words", [("list",), ("chain",), ("doctor",)])
def test_looking_waits_for_a_change_as_long_as_is_said(
    node: LiveNode, words: tuple[str, ...]
) -> None:
    with locked(node.settings.lock, 1.0):
        start = time.monotonic()
        node.skep(*words)  # comes back, although the lock is not let go
        waited = time.monotonic() - start
    assert waited >= LOOKING_SECONDS
