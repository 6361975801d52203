"""The demo's story: what a publisher, a marketplace and an operator do, one step after another."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from skep.bytecode.analysis.label import label_of
from skep.cli.building import build_package
from skep.cli.context import Invocation
from skep.cli.demo.operating import operate
from skep.cli.demo.server import marketplace, url_of
from skep.cli.demo.steps import DemoSteps
from skep.cli.environment import Environment, read_environment
from skep.cli.interrupts import deferred_interrupts, ignore_interrupts, restored_handlers
from skep.cli.keyring import KeyRing
from skep.cli.label import abilities_in_brief
from skep.cli.locating import derive_reports, find_stored
from skep.cli.nodes import node_settings
from skep.cli.obtaining import pull_package
from skep.cli.output import Output
from skep.cli.publishing import publish_layout
from skep.cli.sign import sign_layout
from skep.cli.verifying import verify_found
from skep.clock import system_clock
from skep.errors import NotFound, SkepError
from skep.file_modes import make_directory
from skep.json_documents import schema_id
from skep.node.playground import Playground
from skep.node.verified.trust_store import TrustStore
from skep.node.wiring.playgrounds import open_playground
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.local.marketplaces import Marketplace
from skep.packages.references import parse_reference

PROGRAMS = ("port-filter", "ratelimiting")
_KEY = "demo"
_PUBLISHER = "skep"


def bundled_programs() -> Path:
    """Where the bundled programs are: in an installation, or in a clone.

    Raises:
        NotFound: in neither.
    """
    here = Path(__file__).resolve()
    for folder in (here.parents[2] / "programs", here.parents[4] / "bpf" / "programs"):
        if folder.is_dir():
            return folder
    raise NotFound("the bundled programs are not in this installation")


def run_demo(run: Invocation, *, keep: bool) -> None:
    """Run every step, clean up whatever happens, and say so.

    Raises:
        SkepError: a step failed; everything is cleaned up all the same.
        KeyboardInterrupt: Ctrl-C or SIGTERM; likewise.
    """
    steps = DemoSteps(run.output)
    started = time.perf_counter()
    outer = run.environment
    left_out = [] if outer.is_root else ["attaching to an interface, traffic: that needs root"]
    with ExitStack() as opened:
        opened.enter_context(restored_handlers())
        try:
            place = _place(outer, opened, steps)
            directory = place if isinstance(place, Path) else place.directory
            inner = _inner_environment(outer, directory)
            url = _publish(inner, place, opened, steps)
            _find_and_pull(inner, url, steps)
            if isinstance(place, Playground):
                operate(inner, place, opened, steps, keep=keep)
            else:
                run.output.note(f"left out: {left_out[0]}")
            if keep:
                _keep(run, url, inner, place)
        finally:
            ignore_interrupts()  # cleaning up is not interrupted
    with steps.step("leave nothing behind") as step:
        if directory.exists():
            raise SkepError(f"{directory} is still there", hint="skep doctor --repair")
        kinds = "processes, namespaces, pins and files" if outer.is_root else "processes and files"
        step.result = f"{kinds} are gone"
    total = time.perf_counter() - started
    run.output.emit(
        {
            "schema": schema_id("demo"),
            "steps": steps.document(),
            "left_out": left_out,
            "seconds": round(total, 3),
        },
        lambda: [f"done in {total:.1f} s"],
    )


def _place(outer: Environment, opened: ExitStack, steps: DemoSteps) -> Playground | Path:
    """Make a network of its own, or without root only a directory of its own."""
    if not outer.is_root:
        with deferred_interrupts():
            return Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="skep-demo-")))
    with deferred_interrupts(), steps.step("make a network of its own") as step:
        # The default root may not exist yet on a machine that only tries Skep.
        name = f"skep-demo-{os.getpid() % 100_000}"
        playground = opened.enter_context(open_playground(node_settings(outer), name))
        step.result = f"interface {playground.interface}, its peer in a namespace"
    return playground


def _inner_environment(outer: Environment, directory: Path) -> Environment:
    """Everything of the demo below its own directory; only the compiler's cache is kept.

    Which marketplaces the person or the node knows must not matter.
    """
    variables = {
        **outer.variables,
        "SKEP_ROOT": str(directory / "root"),
        "SKEP_MARKETPLACE": "",
        "XDG_CONFIG_HOME": str(directory / "configuration"),
    }
    inner = read_environment(variables, 0 if outer.is_root else 1)
    make_directory(inner.root, exist_ok=False)
    return inner


def _publish(
    inner: Environment, place: Playground | Path, opened: ExitStack, steps: DemoSteps
) -> str:
    layouts = []
    for name in PROGRAMS:
        project = inner.root / "projects" / name
        shutil.copytree(
            bundled_programs() / name, project, ignore=shutil.ignore_patterns("dist", "__pycache__")
        )
        with steps.step(f"compile, analyse and package {name}") as step:
            built = build_package(project, inner)
            step.result = f"{built.reference}, {built.size_bytes:,} bytes"
            step.facts = {"package": built.reference, "digest": built.digest}
            layouts.append(built.layout)
    with steps.step("sign both") as step:
        ring = KeyRing(inner.keys)
        key = ring.create(_KEY)
        for layout in layouts:
            sign_layout(layout, _KEY, inner, system_clock())
        step.result = "with a new key"
        step.lines = [key.fingerprint]
        step.facts = {"fingerprint": key.fingerprint}
    with steps.step("start a marketplace") as step:
        note = place.note_process if isinstance(place, Playground) else lambda _: None
        public = ring.directory / f"{_KEY}.pub"
        with deferred_interrupts():
            server = opened.enter_context(marketplace(inner, _PUBLISHER, public, note))
        url = url_of(server)
        step.result = url
        step.facts = {"url": url}
    with steps.step("publish both over HTTP") as step:
        verdicts = []
        for layout in layouts:
            published = publish_layout(layout, Marketplace(url), system_clock())
            verdicts.append(published.receipt.verdict)
        outcomes = ", ".join(str(verdict.get("outcome")) for verdict in verdicts)
        step.result = f"reviewed automatically: {outcomes}"
    return url


def _find_and_pull(inner: Environment, url: str, steps: DemoSteps) -> None:
    with steps.step("search “limit”") as step, closing(MarketplaceClient(url)) as client:
        hits = client.search("limit")
        step.result = ", ".join(f"{hit.package} {hit.version}" for hit in hits)
        if not any(hit.package == "skep/ratelimiting" for hit in hits):
            raise NotFound("the package just published is not found")
    TrustStore(inner.trust).add(_PUBLISHER, KeyRing(inner.keys).public(_KEY))
    for name in PROGRAMS:
        with steps.step(f"pull and verify {name}") as step:
            reference = parse_reference(f"{_PUBLISHER}/{name}")
            pulled = pull_package(reference, url, inner, Output(quiet=True))
            found = find_stored(reference, inner)
            if found is None:  # removed since
                raise NotFound(f"{pulled.package} was not pulled")
            evidence = verify_found(found, inner)
            step.result = "every byte hashed, signed with that key"
            step.facts = {
                "package": pulled.package,
                "digest": pulled.digest,
                "signed_by": evidence["signed_by"],
            }
            content = found.open()
            reports = derive_reports(content.objects, content.metadata.program_types)
            label = label_of(reports)
            step.lines = [f"can {abilities_in_brief(label)}"]
            step.facts["may"] = list(dict.fromkeys(each.id for each in label.permissions))


def _keep(run: Invocation, url: str, inner: Environment, place: Playground | Path) -> None:
    """Say where everything is, and wait for Ctrl-C."""
    document: dict[str, object] = {
        "schema": schema_id("demo-running"),
        "url": url,
        "root": str(inner.root),
    }
    lines = [f"marketplace: {url}/", f"node:        SKEP_ROOT={inner.root} skep chain"]
    if isinstance(place, Playground):
        document["interface"] = place.interface
        lines.append(f"far end:     ip netns exec {place.namespace} ping {place.address}")
    run.output.emit(document, lambda: [*lines, "Ctrl-C ends it"])
    with _interrupts_awaited():
        signal.pause()


@contextmanager
def _interrupts_awaited() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        return
