"""How long ``skep list`` takes on a node with 100 hook targets, each running a chain.

Bound: 0.3 s. In the same run: ``skep list`` on a node without deployments. The interfaces are veth
pairs in a network namespace of the benchmark's own, so every target is in another namespace than
the command, which is the slower case. Needs root.
"""

import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import ProgramPlan
from skep.chains.deployment import AttachmentSpec, Deployment
from skep.chains.fingerprints import chain_fingerprint, chain_member, kernel_name
from skep.hooks.identity import Binding
from skep.hooks.target import HookTarget
from skep.kernel.network import create_namespace, remove_namespace
from skep.kernel.pins import PinRoot, mount_bpffs, unmount
from skep.node.records import Installed
from skep.node.store.state import SqliteState
from skep.node.wiring.kernel_adapter import KernelAdapter

TARGETS = 100
ROUNDS = 9
BOUND_SECONDS = 0.30
_AT = "2026-11-23T08:00:00Z"
_PASS = ProgramPlan("pass", 6, 37, 0, "GPL", (Instruction(0xB7, immediate=2), Instruction(0x95)))


@dataclass(frozen=True, slots=True)
class Listing:
    """Seconds of wall time, every round.

    Attributes:
        full: with 100 targets.
        empty: with none.
    """

    full: list[float]
    empty: list[float]

    def document(self) -> dict[str, object]:
        full, empty = statistics.median(self.full), statistics.median(self.empty)
        return {
            "targets": TARGETS,
            "median_seconds": round(full, 4),
            "best_seconds": round(min(self.full), 4),
            "empty_median_seconds": round(empty, 4),
            "times_empty": round(full / empty, 2),
            "bound_seconds": BOUND_SECONDS,
        }

    def text(self) -> str:
        full, empty = statistics.median(self.full), statistics.median(self.empty)
        return (
            f"{'targets':<9}{'median':>9}{'best':>9}{'bound':>9}\n"
            f"{0:<9}{empty:>7.3f} s{min(self.empty):>7.3f} s\n"
            f"{TARGETS:<9}{full:>7.3f} s{min(self.full):>7.3f} s{BOUND_SECONDS:>7.2f} s\n"
        )


def measure() -> Listing:
    """Time ``skep list`` in a new process each, the full node and the empty one in turn."""
    full: list[float] = []
    empty: list[float] = []
    with tempfile.TemporaryDirectory(prefix="skep-benchmark-") as directory:
        nothing = Path(directory) / "nothing"
        nothing.mkdir(mode=0o700)
        with _node(Path(directory) / "root") as root:
            _list(root)  # compiles modules
            for _ in range(ROUNDS):
                full.append(_list(root))
                empty.append(_list(nothing))
    return Listing(full, empty)


def _list(root: Path) -> float:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    finished = subprocess.run(
        [sys.executable, "-m", "skep", "list"],
        env=environment | {"SKEP_ROOT": str(root)},
        check=True,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - started
    expected = TARGETS if root.name == "root" else 0
    if finished.stdout.count("running") != expected:
        sys.exit(f"expected {expected} running deployments:\n{finished.stdout[:400]}")
    return seconds


@contextmanager
def _node(root: Path) -> Iterator[Path]:
    """A node with one deployment on each of 100 interfaces."""
    root.mkdir(mode=0o700)
    namespace = f"skep-bench-{secrets.token_hex(3)}"
    names = [f"b{number}" for number in range(TARGETS)]
    mount_bpffs(root / "bpf")
    try:
        create_namespace(namespace)
        with IPRoute(netns=namespace) as route:
            for one, other in zip(names[::2], names[1::2], strict=True):
                route.link("add", ifname=one, kind="veth", peer=other)
        targets = [HookTarget("xdp", name, namespace) for name in names]
        with PinRoot(root / "bpf") as pins, SqliteState(root / "node.db") as state:
            kernel = KernelAdapter(pins)
            installed = [_installed(kernel, target) for target in targets]
            state.commit(state.begin("benchmark", [], _AT), installed, _AT)
        yield root
    finally:
        unmount(root / "bpf")
        remove_namespace(namespace)


def _installed(kernel: KernelAdapter, on: HookTarget) -> Installed:
    deployment = Deployment(
        name=f"pass-{on.target}",
        reference="skep/pass:1.0.0",
        digest="sha256:" + "0" * 64,
        attachments=(AttachmentSpec("pass", on),),
        order=10,
        run_on=("pass",),
    )
    identity = kernel.locate(on).identity
    name = kernel_name(chain_fingerprint([chain_member(deployment)]))
    with kernel.load(_PASS, [], name) as program:
        link = kernel.attach(on.hook, identity, program)
    return Installed(deployment, _AT, binding=Binding(kernel.boot(), identity, link.link))
