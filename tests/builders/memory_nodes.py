"""A node that is nowhere but in memory: records, copies and kernel are made by hand."""

from pathlib import Path

from tests.fakes.composing import fake_compose
from tests.fakes.kept import FakeKept
from tests.fakes.kernel import FakeKernel
from tests.fakes.packages import NOW, FakePackages
from tests.fakes.state import MemoryState

from skep.chains.planning import LinkedDeployment
from skep.node.converging.services import Writer
from skep.node.locking import Lock
from skep.node.records import Installed

NOW_TEXT = "2026-11-23T08:00:00Z"


class MemoryNode:
    """What there is, and the writer over it."""

    def __init__(self) -> None:
        self.kernel = FakeKernel()
        self.packages = FakePackages()
        self.kept = FakeKept()
        self.state = MemoryState()
        self.writer = Writer(
            Lock(Path("lock")),
            self.kernel,
            self.state,
            self.packages,
            lambda: NOW,
            fake_compose,
            self.kept,
        )

    def keep(self, one: LinkedDeployment) -> Installed:
        """Keep a copy; gives the record that names it."""
        return Installed(one.deployment, "then", kept=str(self.kept.keep(one)))

    def commit(self, *installed: Installed) -> None:
        """Make these the records there are."""
        entry = self.state.begin("install", [], "then")
        self.state.commit(entry, installed, "then")

    def records(self) -> dict[str, Installed]:
        """The records, by name."""
        return {one.deployment.name: one for one in self.state.installed()}

    @property
    def copies(self) -> list[str]:
        """Of which deployments copies are kept."""
        return sorted(each.deployment.name for each in self.kept.copies.values())
