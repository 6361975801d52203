"""Every hook through the node: installed, chained, removed; the third one is the tests' own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from tests.builders.elf import ALLOCATED, EXIT, WRITABLE, ElfBuilder
from tests.builders.live_node import YES
from tests.builders.packages import put_package
from tests.builders.published import make_package
from tests.builders.trust import signer
from tests.builders.wires import eventually, reaches
from tests.kernel.conftest import Wire
from tests.third_hook.adding import new_cgroup, third_hook
from tests.third_hook.cgroup_skb import CGROUP_SKB

from skep.bytecode.isa.instructions import Instruction
from skep.hooks.hook import Hook
from skep.hooks.identity import Identity
from skep.hooks.table import find_hook
from skep.hooks.target import HookTarget
from skep.kernel.attaching.table import driver_of
from skep.kernel.errors import KernelRefused
from skep.kernel.programs import describe_program
from skep.node.deploying.applying import Changed
from skep.node.deploying.installing import InstallRequest
from skep.node.node import Node
from skep.node.occupants import order_lines
from skep.node.settings import NodeSettings
from skep.node.verified.trust_store import TrustStore
from skep.node.wiring import dismount, open_node
from skep.node.wiring.host import HostAdapter
from skep.packages.local.bundles import store_bundle
from skep.packages.local.content_store import ContentStore
from skep.packages.references import parse_reference
from skep.trust.bundles import Subject, sign

pytestmark = pytest.mark.kernel

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A hook, a target of the test's own, and whether packets get by."""

    hook: Hook
    on: HookTarget
    section: str
    other_section: str
    passing: str
    gets_by: Callable[[], bool]


@pytest.fixture(params=["xdp", "tcx-ingress", "tcx-egress", CGROUP_SKB.name])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with ExitStack() as made:
        if request.param == CGROUP_SKB.name:
            made.enter_context(third_hook())
            yield _cgroup_case(made.enter_context(new_cgroup()))
            return
        wire: Wire = request.getfixturevalue("wire")
        sections = ("xdp", "xdp") if request.param == "xdp" else ("tc", "tcx/egress")
        on = HookTarget(request.param, wire.name)
        yield Case(find_hook(on.hook), on, *sections, "pass", _connects(wire))


def _cgroup_case(path: Path) -> Case:
    on = HookTarget(CGROUP_SKB.name, path.name)
    sections = ("cgroup/skb", "cgroup_skb/ingress")
    return Case(CGROUP_SKB, on, *sections, "keep", lambda: _sends(path))


def _connects(wire: Wire) -> Callable[[], bool]:
    return lambda: reaches(wire.name, wire.namespace)


def _sends(path: Path) -> bool:
    """Whether a process of the control group may send."""
    code = (
        "import os, pathlib, socket, sys\n"
        "pathlib.Path(sys.argv[1], 'cgroup.procs').write_text(str(os.getpid()))\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'x', ('127.0.0.1', 9))\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[NodeSettings]:
    made = NodeSettings(root=tmp_path / "root", bpffs=tmp_path / "bpf")
    made.root.mkdir(mode=0o700)
    yield made
    dismount(made)


def _publish(settings: NodeSettings, case: Case, name: str, verdict: str, section: str) -> None:
    """Put a package of one program into the node's store, signed and trusted."""
    builder = ElfBuilder()
    builder.section("license", b"GPL\0", flags=ALLOCATED | WRITABLE)
    code = (Instruction(0xB7, 0, 0, 0, case.hook.verdicts[verdict]), EXIT)
    builder.symbol("prog", builder.code(section, code), size=8 * len(code))
    toml = (
        f'[package]\nname = "acme/{name}"\nversion = "1.0.0"\nsummary = "Decides"\n'
        'licence = "GPL-2.0-only"\ncategories = ["network/limits"]\n'
        '[build]\nsources = ["counting.bpf.c"]\n'
        f'[[program]]\nname = "prog"\nhook = "{case.hook.name}"\n'
    )
    package = make_package(toml.encode(), objects={"prog.o": builder.build()})
    store = ContentStore(settings.content)
    put_package(store, package)
    subject = Subject(package.metadata.name, package.manifest.digest)
    store_bundle(store, package.manifest, sign(subject, signer("publisher")))
    trusted = TrustStore(settings.trust)
    if not trusted.keys_of("acme"):
        trusted.add("acme", signer("publisher").public_key)


def _install(node: Node, case: Case, name: str) -> Changed:
    reference = parse_reference(f"acme/{name}:1.0.0")
    return node.install(InstallRequest(reference, case.on, answer=YES))


def test_installed_chained_and_removed(settings: NodeSettings, case: Case) -> None:
    _publish(settings, case, "passing", case.passing, case.section)
    _publish(settings, case, "dropping", "drop", case.other_section)
    driver = driver_of(case.hook)
    identity = driver.locate(case.on).identity
    assert eventually(case.gets_by)
    with open_node(settings, lambda: NOW, HostAdapter) as node:
        for name in ("passing", "dropping"):
            assert eventually(case.gets_by)
            report = _install(node, case, name)
        assert report.chain == ("passing", "dropping")
        assert report.remark == ""
        assert not case.gets_by()
        (running,) = driver.occupants(case.hook, identity)
        assert describe_program(running).type == case.hook.program_type
        assert node.chain(case.on).condition == "running"
        node.remove("dropping")
        assert eventually(case.gets_by)
        assert len(driver.occupants(case.hook, identity)) == 1
        node.remove("passing")
    assert driver.occupants(case.hook, identity) == ()
    assert eventually(case.gets_by)


def test_programs_of_others_that_run_first_are_told(settings: NodeSettings, wire: Wire) -> None:
    on = HookTarget("tcx-ingress", wire.name)
    case = Case(find_hook(on.hook), on, "tc", "tc", "pass", _connects(wire))
    theirs = NodeSettings(root=settings.root.with_name("theirs"), bpffs=settings.root / "theirs")
    theirs.root.mkdir(mode=0o700)
    for each, name in ((theirs, "first"), (settings, "second")):
        _publish(each, case, name, "pass", "tc")
    try:
        with open_node(theirs, lambda: NOW, HostAdapter) as node:
            _install(node, case, "first")
            (program,) = driver_of(case.hook).occupants(case.hook, _identity(on))
            assert node.examine() == ()
        first = f"runs after program {program} ({describe_program(program).name})"
        with open_node(settings, lambda: NOW, HostAdapter) as node:
            request = InstallRequest(parse_reference("acme/second:1.0.0"), on, answer=YES)
            (line,) = order_lines(node.preview(request).occupants)
            assert line == f"{first}, which may decide first"
            _install(node, case, "second")
            there = node.chain(on).occupants
            assert there is not None
            assert [each.is_ours for each in there] == [False, True]
            (finding,) = node.examine()
            assert finding.text == f"{on} {line}"
            assert finding.is_information
        with open_node(theirs, lambda: NOW, HostAdapter) as node:
            there = node.chain(on).occupants
            assert there is not None
            assert [each.is_ours for each in there] == [True, False]
            assert node.examine() == ()
    finally:
        dismount(theirs)


def _identity(on: HookTarget) -> Identity:
    return driver_of(find_hook(on.hook)).locate(on).identity


@pytest.fixture
def jumbo(wire: Wire) -> Case:
    for name, namespace in ((wire.name, None), (wire.peer, wire.namespace)):
        with IPRoute(netns=namespace) as route:
            route.link("set", index=route.link_lookup(ifname=name)[0], mtu=9000)
    on = HookTarget("xdp", wire.name)
    return Case(find_hook("xdp"), on, "xdp", "xdp.frags", "pass", _connects(wire))


def test_on_a_large_mtu_a_program_without_fragments_runs_in_generic_mode(
    settings: NodeSettings, jumbo: Case
) -> None:
    _publish(settings, jumbo, "dropping", "drop", "xdp")
    with open_node(settings, lambda: NOW, HostAdapter) as node:
        report = _install(node, jumbo, "dropping")
        assert report.remark == (
            f"generic mode: the driver of {jumbo.on.target} refuses native XDP at MTU 9000"
        )
        assert not jumbo.gets_by()
        node.remove("dropping")
    assert eventually(jumbo.gets_by)


def test_a_member_without_fragments_does_not_join_those_with_on_a_large_mtu(
    settings: NodeSettings, jumbo: Case
) -> None:
    _publish(settings, jumbo, "first", "pass", "xdp.frags")
    _publish(settings, jumbo, "second", "pass", "xdp.frags")
    _publish(settings, jumbo, "plain", "pass", "xdp")
    with open_node(settings, lambda: NOW, HostAdapter) as node:
        _install(node, jumbo, "first")
        _install(node, jumbo, "second")
        with pytest.raises(KernelRefused, match=r"too large for a program without xdp\.frags"):
            _install(node, jumbo, "plain")
        assert [one.deployment.name for one in node.chain(jumbo.on).members] == ["first", "second"]
        assert node.chain(jumbo.on).condition == "running"
