"""Label, prompt, show, inspect and search as terminals and pipes show them."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.builders.databases import FIXTURES
from tests.builders.deployments import deployment
from tests.builders.nodes import FakeNode, request
from tests.builders.objects import fixture, fixture_bytes, fixture_names
from tests.builders.snapshots import DIRECTORY, SURFACES, check_snapshot

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.growth import Granted, Growth
from skep.bytecode.analysis.label import label_of
from skep.bytecode.analysis.label_bounds import LabelChange
from skep.cli.consenting import need_lines, preview_lines
from skep.cli.inspecting import inspection_lines
from skep.cli.list_rows import ListRow, damaged_row, list_lines, list_row
from skep.cli.searching import hit_lines
from skep.cli.showing import Shown, shown_lines
from skep.cli.subjects import Inspected
from skep.cli.surfaces import Surface, columns
from skep.digests import Digest
from skep.node.converging.consenting import Need
from skep.node.deploying.previewing import ChainPlace, Preview, PreviewSetting, preview
from skep.node.labels import ConsentLabel
from skep.node.looking.listing import Listed
from skep.node.looking.standing import Newer, Standing
from skep.node.occupants import Occupant
from skep.node.records import Installed
from skep.packages.local.marketplaces import Marketplace
from skep.packages.metadata import PackageMetadata, parse_metadata
from skep.packages.wire.package_listing import PackageListing
from skep.packages.wire.version_listing import VersionListing
from skep.versions import Version

TOML = b"""
[package]
name = "acme/limiting"
version = "1.1.0"
summary = "Limits new TCP connections per second to listed ports"
licence = "GPL-2.0-only OR BSD-2-Clause"

[[program]]
name = "limiting"
hook = "xdp"
chain = { run_on = ["pass"] }

[settings.rate]
type = "rate"
map = "config"
default = "1000/s"
help = "new connections let through per second, for all listed ports together"

[settings.ports]
type = "set[port]"
map = "ports"
help = "destination ports that are limited"

[metrics.dropped]
map = "dropped"
kind = "counter"
help = "new connections dropped"
"""

VERDICT = {
    "schema": "skep.verdict/v1",
    "outcome": "accepted",
    "findings": [{"rule": "sources-present", "severity": "warning"}],
}
FINGERPRINT = "SHA256:" + "9f" * 32
NOVEMBER = datetime(2026, 11, 23, tzinfo=UTC)


def metadata() -> PackageMetadata:
    return parse_metadata(TOML)


def inspected(name: str, *, as_package: bool = False) -> Callable[[Surface], Iterator[str]]:
    objects = {f"{name}.o": fixture_bytes(name)}
    subject = Inspected(f"{name}.o", objects, {}, {})
    if as_package:
        said = metadata()
        subject = Inspected(f"{said.name}:{said.version}  {said.summary}", objects, {}, {}, said)
    return lambda surface: inspection_lines(subject, subject.reports(), surface)


def old_label() -> dict[str, object]:
    """As a marketplace of an older version stored it."""
    connection = sqlite3.connect(":memory:")
    connection.executescript((FIXTURES / "marketplace-1.sql").read_text("utf-8"))
    (text,) = connection.execute("SELECT label FROM versions").fetchone()
    connection.close()
    found: dict[str, object] = json.loads(text)
    return found


def label_document(name: str) -> dict[str, object]:
    return label_of({f"{name}.o": analyse(fixture(name))}).to_document()


def listing(label: dict[str, object], version: str = "1.1.0", **changes: str) -> VersionListing:
    said = metadata()
    return VersionListing(
        package=changes.get("package", said.name),
        version=Version.parse(version),
        digest=Digest("sha256", "7e" * 32),
        published_at="2026-11-30T16:59:57Z",
        summary=changes.get("summary", said.summary),
        licence=said.licence,
        signed_by=changes.get("signed_by", FINGERPRINT),
        label=label,
        verdict=VERDICT,
    )


def shown(
    label: dict[str, object], *, since: datetime | None = NOVEMBER
) -> Callable[[Surface], Iterator[str]]:
    version = listing(label)
    versions = (version, listing(label, "1.0.0"))
    said = Shown(
        PackageListing(version.package, versions), version, metadata(), since, "acme/limiting:1.1.0"
    )
    return lambda surface: shown_lines(said, surface)


@pytest.fixture
def previewed(tmp_path: Path) -> Preview:
    class Trusting:
        def trusted_since(self, publisher: str, fingerprint: str) -> datetime:  # noqa: ARG002
            return NOVEMBER

    node = FakeNode(tmp_path)
    found = preview(node.services(), Trusting(), request())
    node.close()
    return found


def prompted(found: Preview, name: str, **changes: object) -> Callable[[Surface], Iterator[str]]:
    reports = {f"{name}.o": analyse(fixture(name))}
    content = replace(found.package.content, metadata=metadata())
    drawn = replace(
        found,
        package=replace(found.package, content=content),
        reports=reports,
        label=label_of(reports),
        report_matches=True,
        settings=(
            PreviewSetting("rate", "1000/s", is_default=True, help=""),
            PreviewSetting("ports", "80, 443", is_default=False, help=""),
            PreviewSetting("allowed", "", is_default=True, help=""),
        ),
        chain=(ChainPlace("port-filter", is_new=False), ChainPlace("limiting", is_new=True)),
        label_changes=(),
        plan=replace(found.plan, needs=()),
    )
    drawn = replace(drawn, **changes)  # type: ignore[arg-type]
    return lambda surface: preview_lines(drawn, surface)


def need(*grown: Growth, shown: Sequence[Granted] = ()) -> Need:
    label = tuple(shown) + tuple(each.permission for each in grown)
    return Need(deployment(), ConsentLabel(2, label, label), grown, "exceeds")


READ = Granted("net.read", "interface", "declared", "medium")
DROP = Granted("net.drop", "interface", "declared", "high")
MIRROR = Granted("net.mirror", "interface", "possible", "critical")
SOCKET = Granted("net.read", "socket", "declared", "medium")


def listed_rows() -> list[ListRow]:
    """A node with a bit of everything."""
    at = "2026-11-23T08:00:00Z"
    newer = Newer("1.3.0", "market.example", "2026-11-30T16:59:57Z")
    running = Listed(Installed(deployment("port-filter"), at), "running")
    limiting = Listed(Installed(deployment("ratelimiting", order=20), at), "running")
    waiting = Listed(Installed(deployment("probe", on="xdp:eth1"), at), "waiting")
    long = deployment("mirror-of-the-uplink", on="tcx-ingress:enp0s31f6np0")
    detached = Listed(Installed(long, at), "detached", ("counts",))
    return [
        list_row(running, Standing(changed_settings={"ports": "80, 443"}), ""),
        list_row(limiting, Standing(newer=newer), ""),
        list_row(waiting, Standing("unsigned"), ""),
        list_row(detached, Standing("distrusted"), ""),
        damaged_row("broken"),
    ]


def drawn(name: str, previewed: Preview) -> Callable[[Surface], Iterator[str]]:
    match name:
        case "inspect-object":
            return inspected("may_user_read_memory")
        case "inspect-many-programs":
            return inspected("iterators")
        case "inspect-many-permissions":
            return inspected("traced")
        case "inspect-package":
            return inspected("may_net_drop", as_package=True)
        case "inspect-tail-call":
            return inspected("may_exec_tail_call")
        case "show":
            return shown(label_document("may_net_drop"))
        case "show-not-trusted":
            return shown(label_document("may_net_redirect"), since=None)
        case "show-label-of-an-older-version":
            return shown(old_label())
        case "install":
            return prompted(previewed, "may_net_drop")
        case "install-critical":
            return prompted(previewed, "may_net_mirror")
        case "install-with-warnings":
            evidence = replace(previewed.package.evidence, kind="insecure", fingerprint="")
            package = replace(previewed.package, evidence=evidence)
            unsigned = replace(previewed, package=package)
            change = LabelChange("net.mirror", "interface", "declared", "")
            needs = (need(Growth(MIRROR, "new"), shown=(DROP,)),)
            return prompted(
                unsigned,
                "verdicts",
                report_matches=False,
                label_changes=(change,),
                own_maps=("counts",),
                plan=replace(unsigned.plan, needs=needs),
            )
        case "change":
            grown = need(
                Growth(READ, "new"),
                Growth(MIRROR, "new"),
                Growth(DROP, "certain", replace(DROP, confidence="possible")),
                Growth(SOCKET, "new", elsewhere=("interface",)),
                shown=(replace(DROP, id="data.state", scope=""),),
            )
            return lambda surface: need_lines([grown], surface)
        case "list" | "list-wide":
            rows = listed_rows()
            return lambda surface: list_lines(rows, surface, is_wide=name == "list-wide")
        case _:
            hits = [
                listing(label_document("may_net_drop")),
                listing(
                    label_document("may_user_read_memory"), package="acme/probe", summary="Looks"
                ),
                listing({}, package="acme/later", summary="With a label of a later version"),
            ]
            place = Marketplace("https://market.example", "public")
            return lambda surface: iter(hit_lines(hits, "limit", place, surface))


NAMES = (
    "inspect-object",
    "inspect-many-programs",
    "inspect-many-permissions",
    "inspect-package",
    "inspect-tail-call",
    "show",
    "show-not-trusted",
    "show-label-of-an-older-version",
    "install",
    "install-critical",
    "install-with-warnings",
    "change",
    "search",
    "list",
    "list-wide",
)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_is_what_was_reviewed(name: str, surface: str, previewed: Preview) -> None:
    lines = list(drawn(name, previewed)(SURFACES[surface]))
    check_snapshot(f"{name}.{surface}", lines)


def test_every_snapshot_is_of_something_that_is_shown() -> None:
    kept = {path.stem for path in DIRECTORY.glob("*.txt")}
    assert kept == {f"{name}.{surface}" for name in NAMES for surface in SURFACES}


@pytest.mark.parametrize("name", fixture_names())
@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_label_fits_its_terminal(name: str, width: int) -> None:
    lines = list(inspected(name)(Surface(width)))
    assert [line for line in lines if columns(line) > width] == []


def test_the_prompt_names_programs_of_others_that_may_decide_first(previewed: Preview) -> None:
    others = (Occupant(570, "cil_from_netdev", is_ours=False),)
    lines = list(preview_lines(replace(previewed, occupants=others), SURFACES["piped"]))
    (line,) = [line for line in lines if line.lstrip().startswith("Order")]
    assert line.endswith("runs after program 570 (cil_from_netdev), which may decide first")
    assert not any("Order" in line for line in preview_lines(previewed, SURFACES["piped"]))
