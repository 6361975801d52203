"""Everything these tests make is their own: a BPF file system, a namespace, a veth pair."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.builders.wires import address_pair

from skep.kernel.interfaces import ifindex
from skep.kernel.network import (
    create_namespace,
    create_veth,
    remove_interface,
    remove_namespace,
)
from skep.kernel.pins import PinRoot, is_bpffs, mount_bpffs, unmount


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root nothing here can work; any other reason to skip would hide a failure."""
    if os.geteuid() == 0:
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs root: bpf(2), mounts, namespaces"))


def _descriptors() -> dict[str, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[entry.name] = str(entry.readlink())
        except FileNotFoundError:  # the one that lists
            continue
    return {number: target for number, target in found.items() if "bpf" in target}


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    """Every test closes what it opened in the kernel, also when something failed."""
    before = _descriptors()
    yield
    assert _descriptors() == before


@pytest.fixture
def bpffs(tmp_path: Path) -> Iterator[Path]:
    """A BPF file system of this test's own."""
    path = tmp_path / "bpf"
    mount_bpffs(path)
    try:
        yield path
    finally:
        if is_bpffs(path):
            unmount(path)


@pytest.fixture
def pins(bpffs: Path) -> Iterator[PinRoot]:
    """A pin root in it."""
    with PinRoot(bpffs / "skep") as root:
        yield root


@dataclass(frozen=True)
class Wire:
    """A veth pair: ``name`` here, ``peer`` in ``namespace``."""

    name: str
    peer: str
    namespace: str
    ifindex: int


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A veth pair of this test's own, with addresses nobody else uses."""
    mark = secrets.token_hex(3)
    name, peer, namespace = f"skt{mark}", f"skp{mark}", f"skep-test-{mark}"
    create_namespace(namespace)
    try:
        create_veth(name, peer, namespace, *address_pair())
        yield Wire(name, peer, namespace, ifindex(name))
    finally:
        remove_interface(name)
        remove_namespace(namespace)


@dataclass(frozen=True)
class Machine:
    """A machine of a test's own, as far as processes and mounts go; all of it ends with a script.

    Its process 1 is a shell in a process and mount namespace of its own.
    """

    directory: Path

    def run(self, script: str, *, code: str = "", arguments: tuple[str, ...] = ()) -> list[str]:
        """Run a shell script as process 1; returns the lines it printed.

        Args:
            code: Python that ``$python`` runs, with the directory and ``arguments`` in
                ``sys.argv``.
            arguments: more of them; the script has them as ``$@``.
        """
        program = self.directory / "program.py"
        program.write_text(code)
        python = f"{sys.executable} {program} {self.directory}"
        done = subprocess.run(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc",
             script, "sh", *arguments],
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "python": python,
                "directory": str(self.directory),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine of this test's own."""
    return Machine(tmp_path)
