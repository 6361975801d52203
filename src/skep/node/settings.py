"""Where a node keeps what is its own."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Places and patience.

    Attributes:
        root: directory of the node: ``node.db``, ``content/``, ``trust/``, ``lock``, ``demo/``,
            ``kept/``, ``kernel-types/``.
        bpffs: directory of pins; a bpf file system is mounted there if it is none.
        lock_seconds: how long a command waits for another one to finish.
        is_temporary: it is taken away before the command ends, as a demonstration's is; so its
            pins need not outlive the command.
        indexing: around the indexing of the kernel's types, for people who wait.
        called: what people call a marketplace, by its host; asked for hints of errors only.
    """

    root: Path
    bpffs: Path
    lock_seconds: float = 10.0
    is_temporary: bool = False
    called: Callable[[str], str] = str
    indexing: Callable[[], AbstractContextManager[object]] = nullcontext

    @property
    def database(self) -> Path:
        """The database."""
        return self.root / "node.db"

    @property
    def content(self) -> Path:
        """The content store: an OCI image layout."""
        return self.root / "content"

    @property
    def trust(self) -> Path:
        """Trusted keys, one directory for each publisher."""
        return self.root / "trust"

    @property
    def kept(self) -> Path:
        """Copies of the linked programs of all deployments."""
        return self.root / "kept"

    @property
    def kernel_types(self) -> Path:
        """Indexes of the kernel's types, made when an object first needs them."""
        return self.root / "kernel-types"

    @property
    def lock(self) -> Path:
        """The file that commands lock."""
        return self.root / "lock"

    @property
    def demo(self) -> Path:
        """Markers of playgrounds that are open, or were when they were killed."""
        return self.root / "demo"
