"""A node on fakes: a kernel in memory, a real database, packages that link as told."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.faults import Fault
from tests.fakes.kept import FakeKept
from tests.fakes.kernel import FakeKernel
from tests.fakes.packages import NOW, FakePackages

from skep.chains.ordering import Last, Placement
from skep.hooks.table import parse_hook_target
from skep.node.converging.composing import compose
from skep.node.converging.consenting import Answer, YesToAll
from skep.node.converging.recovering import recover
from skep.node.converging.services import Services, Writer
from skep.node.deploying.installing import InstallRequest, install
from skep.node.deploying.removing import remove
from skep.node.locking import Lock
from skep.node.store.state import SqliteState
from skep.packages.references import parse_reference

YES = YesToAll("tester")

__all__ = ["FakeNode", "recover", "remove"]


class FakeNode:
    """What a test needs to do things to a node and to look at it from outside."""

    def __init__(self, directory: Path, image: "NodeImage | None" = None) -> None:
        """A node with nothing on it, or as it was when its image was taken."""
        self.path = directory / "node.db"
        self.kernel, self.packages, self.kept = FakeKernel(), FakePackages(), FakeKept()
        if image is not None:
            self.path.touch(mode=0o600)
            self.path.write_bytes(image.database)
            self.kernel, self.packages, self.kept = pickle.loads(image.fakes)  # noqa: S301 - our own
        self.lock = Lock(directory / "lock")
        self.state = SqliteState(self.path)

    def close(self) -> None:
        self.state.close()

    def reboot(self) -> None:
        """The kernel starts anew."""
        self.kernel.reboot()

    def services(self) -> Services:
        """As a command that looks gets them."""
        return self.writer().services

    def writer(self, fault: Fault | None = None) -> Writer:
        """As a command that changes gets it; ``fault`` sits in kernel and state."""
        wrap: Callable[[Any], Any] = fault.over if fault is not None else (lambda port: port)
        return Writer(
            self.lock,
            wrap(self.kernel),
            wrap(self.state),
            self.packages,
            lambda: NOW,
            compose,
            self.kept,
        )

    def install(
        self,
        package: str = "acme/limit",
        *,
        on: str = "xdp:eth0",
        placement: Placement = Last(),  # noqa: B008 - frozen and empty
        fault: Fault | None = None,
        answer: Answer = YES,
        **settings: str,
    ) -> None:
        asked = request(package, on=on, placement=placement, answer=answer, **settings)
        install(self.writer(fault), asked)

    def names(self, on: str = "xdp:eth0") -> list[str]:
        """Committed deployments on a hook target."""
        target = parse_hook_target(on)
        return [d.deployment.name for d in self.state.installed() if d.deployment.on == target]

    def consistent(self) -> None:
        """What runs is what is committed, and nothing is left over."""
        assert self.state.unfinished() == ()
        assert self.kernel.retired_maps() == {}
        pinned = self.kernel.pinned_maps()
        assert set(pinned) == {one.deployment.name for one in self.state.installed()}
        for one in self.state.installed():
            assert set(one.deployment.maps) == pinned[one.deployment.name]
        before = self.kernel.snapshot()
        entry = self.state.begin("a change that never began", [], "2026-11-23T08:00:00Z")
        assert recover(self.writer()).done == []
        assert self.kernel.snapshot() == before
        assert entry not in [each.number for each in self.state.unfinished()]
        assert self.kernel.open_programs() == []
        # Nothing runs without the consent it was given, and no other record allows anything.
        given = {(r.deployment, r.consent) for r in self.state.consents() if r.outcome == "given"}
        for one in self.state.installed():
            assert one.consent is not None
            assert (one.deployment.name, one.consent) in given


@dataclass(frozen=True)
class NodeImage:
    """A node at one moment, of which any number of nodes can be made.

    Attributes:
        database: its file.
        fakes: its kernel, packages and kept copies, pickled.
    """

    database: bytes
    fakes: bytes

    @classmethod
    def of(cls, node: FakeNode) -> "NodeImage":
        """Take it of a node, which may be used no more."""
        node.close()
        return cls(node.path.read_bytes(), pickle.dumps((node.kernel, node.packages, node.kept)))


def request(
    package: str = "acme/limit",
    *,
    on: str = "xdp:eth0",
    placement: Placement = Last(),  # noqa: B008 - frozen and empty
    answer: Answer = YES,
    **settings: str,
) -> InstallRequest:
    return InstallRequest(
        parse_reference(f"{package}:1.0.0"),
        parse_hook_target(on),
        placement=placement,
        settings=settings,
        answer=answer,
    )
