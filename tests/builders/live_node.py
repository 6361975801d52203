"""A node on the running kernel: bundled programs, signed, on an interface of a test's own."""

import os
import secrets
import socket
import string
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from tests.builders.commands import Skep
from tests.builders.compiled import PROGRAMS, bundled_object
from tests.builders.packages import put_package
from tests.builders.published import make_package
from tests.builders.trust import signer

from skep.chains.deployment import TrustDecision
from skep.chains.ordering import Last, Placement
from skep.digests import Digest
from skep.hooks.table import HookTarget
from skep.kernel.packets import open_packet_socket
from skep.node.converging.consenting import Answer, YesToAll
from skep.node.deploying.applying import Changed
from skep.node.deploying.installing import InstallRequest
from skep.node.node import Node
from skep.node.playground import Playground
from skep.node.settings import NodeSettings
from skep.node.verified.trust_store import TrustStore
from skep.node.wiring import dismount, open_node
from skep.node.wiring.host import HostAdapter
from skep.node.wiring.playgrounds import open_peer_socket, open_playground
from skep.packages.content import Package
from skep.packages.local.bundles import store_bundle
from skep.packages.local.content_store import ContentStore
from skep.packages.references import parse_reference
from skep.trust.bundles import Subject, sign

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BUNDLED = ("port-filter", "ratelimiting")
SETTLE_SECONDS = 5.0
_LETTERS = string.ascii_lowercase + string.digits


@cache
def bundled_package(name: str) -> Package:
    toml = (PROGRAMS / name / "skep.toml").read_bytes()
    sources = {f"{name}.bpf.c": (PROGRAMS / name / f"{name}.bpf.c").read_bytes()}
    return make_package(toml, objects={f"{name}.o": bundled_object(name)}, sources=sources)


def stock(settings: NodeSettings, *names: str, by: str = "publisher") -> dict[str, Digest]:
    """Put bundled packages into a node's content store, signed, and trust the publisher."""
    store = ContentStore(settings.content)
    found = {}
    for name in names or BUNDLED:
        package = bundled_package(name)
        put_package(store, package)
        digest = package.manifest.digest
        bundle = sign(Subject(package.metadata.name, digest), signer(by))
        store_bundle(store, package.manifest, bundle)
        found[name] = digest
    TrustStore(settings.trust).add("skep", signer().public_key)
    return found


YES = YesToAll("tester")


@dataclass
class LiveNode:
    """A node, and the interface its programs run on."""

    settings: NodeSettings
    playground: Playground

    @property
    def on(self) -> HookTarget:
        return HookTarget("xdp", self.playground.interface)

    @property
    def skep(self) -> Skep:
        """The command line, for this node."""
        return Skep(self.settings.root)

    @contextmanager
    def opened(self) -> Iterator[Node]:
        with open_node(self.settings, lambda: NOW, HostAdapter) as node:
            yield node

    def request(
        self,
        name: str,
        *,
        placement: Placement = Last(),  # noqa: B008 - frozen and empty
        policy: TrustDecision = "require-key",
        answer: Answer = YES,
        settings: Mapping[str, str] | None = None,
        on: HookTarget | None = None,
    ) -> InstallRequest:
        return InstallRequest(
            parse_reference(f"skep/{name}:1.0.0"),
            on or self.on,
            placement=placement,
            policy=policy,
            settings=settings or {},
            answer=answer,
        )

    def install(
        self,
        name: str,
        *,
        placement: Placement = Last(),  # noqa: B008 - frozen and empty
        **settings: str,
    ) -> Changed:
        with self.opened() as node:
            return node.install(self.request(name, placement=placement, settings=settings))

    def counts(self, name: str) -> dict[str, int]:
        with self.opened() as node:
            return {metric.name: metric.value or 0 for metric in node.metrics(name)}

    def chain(self) -> list[str]:
        with self.opened() as node:
            view = node.chain(self.on)
            assert view.condition in {"running", "not running"}
            return [one.deployment.name for one in view.members]

    def deliver(self, frames: list[bytes], at: socket.socket | None = None) -> list[bytes]:
        """Send frames from the peer; returns those that came through, in their order.

        Args:
            at: a packet socket on the end here, if that is renamed or elsewhere.
        """
        wanted = set(frames)
        came: list[bytes] = []
        with ExitStack() as opened:
            local = at or opened.enter_context(open_packet_socket(self.playground.interface))
            peer = opened.enter_context(open_peer_socket(self.playground))
            local.settimeout(0.5)  # of silence: the machine may be busy
            for frame in frames:
                peer.send(frame)
            deadline = time.monotonic() + SETTLE_SECONDS
            while len(came) < len(frames) and time.monotonic() < deadline:
                try:
                    frame = local.recv(2048)
                except TimeoutError:
                    break
                if frame in wanted:
                    came.append(frame)
        return came


def playground_name() -> str:
    """A name for a playground of a test's own; that of a demo ends in digits only."""
    return "skep-demo-t" + "".join(secrets.choice(_LETTERS) for _ in range(4))


@contextmanager
def live_node(directory: Path) -> Iterator[LiveNode]:
    """A node with the bundled packages on its shelf; everything is gone afterwards."""
    assert os.geteuid() == 0
    root = directory / "root"
    settings = NodeSettings(root=root, bpffs=root / "bpf")  # where commands look for it
    settings.root.mkdir(mode=0o700)
    stock(settings)
    with open_playground(settings, playground_name()) as playground:
        try:
            yield LiveNode(settings, playground)
        finally:
            dismount(settings)
