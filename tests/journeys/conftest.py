"""A signed, published pair of packages, and an interface whose far end is in a namespace."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.builders.commands import Skep, publish_bundled
from tests.builders.wires import address_pair

from skep.kernel import network
from skep.kernel.packets import open_packet_socket
from skep.kernel.pins import is_bpffs, unmount


@pytest.fixture(scope="module")
def skep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Skep]:
    """An author, a marketplace and an operator who trusts the author, in one root directory."""
    folder = tmp_path_factory.mktemp("journey")
    author = Skep(folder / "root")
    layouts = publish_bundled(author, folder / "projects", "port-filter", "ratelimiting")
    public = author.root / "keys" / "author.pub"
    author.ok("keys", "trust", "skep", public)
    with author.serving("--publisher", f"skep={public}") as commands:
        for layout in layouts:
            commands.ok("publish", layout)
        yield commands
    if is_bpffs(author.root / "bpf"):
        unmount(author.root / "bpf")


@pytest.fixture(autouse=True)
def no_mounts_left(tmp_path: Path) -> Iterator[None]:
    """Unmount what a node below this test's directory keeps mounted by design."""
    yield
    for path in tmp_path.glob("*/bpf"):
        if is_bpffs(path):
            unmount(path)


@pytest.fixture
def interface() -> Iterator[str]:
    """An interface of its own, up, whose far end ``far`` is in a namespace of the same name."""
    if os.geteuid() != 0:
        pytest.skip("making interfaces needs root")
    name = f"sk{uuid4().hex[:8]}"
    network.create_namespace(name)
    try:
        network.create_veth(name, "far", name, *address_pair())
        yield name
    finally:
        network.remove_interface(name)
        network.remove_namespace(name)


@pytest.fixture
def far_end(interface: str) -> Iterator[object]:
    """A packet socket at the far end: what it sends, the interface receives."""
    with open_packet_socket("far", interface) as socket:
        yield socket


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with a copy of port-filter."""
    import shutil

    source = Path(__file__).resolve().parents[2] / "bpf" / "programs" / "port-filter"
    return Path(shutil.copytree(source, tmp_path / "port-filter"))
