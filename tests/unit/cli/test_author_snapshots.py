"""What authors see at terminals and in pipes: plans, reviews, settings, searches without result."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from tests.builders.packages import metadata_toml
from tests.builders.snapshots import DIRECTORY, SURFACES, check_snapshot

from skep.cli.locating import Found
from skep.cli.metadata_rows import metadata_lines
from skep.cli.publication_rows import plan_lines, warning_texts
from skep.cli.publishing import PublishPlan
from skep.cli.searching import hit_lines
from skep.cli.surfaces import Surface, columns
from skep.digests import Digest
from skep.errors import Conflict, SkepError
from skep.marketplace.vetting.verdicts import ReviewFinding, ReviewVerdict
from skep.packages.client.surveying import PackagePart, PublicationSurvey
from skep.packages.local.content_store import ContentStore
from skep.packages.local.marketplaces import Marketplace
from skep.packages.metadata import parse_metadata
from skep.packages.oci.descriptors import Descriptor
from skep.packages.wire.version_listing import VersionListing
from skep.versions import Version

PLACE = Marketplace("https://market.example", "public")
DIGEST = Digest("sha256", "7e" * 32)
OTHER = Digest("sha256", "31" * 32)
MANY = """
[settings.rate]
type = "rate"
map = "a"
default = "1000/s"
help = "new connections let through per second, for all listed ports together"
[settings.ports]
type = "set[port]"
map = "b"
default = [22, 80, 443, 8080, 8443, 9090, 9100, 9200, 10250, 30000, 30001, 30002]
help = "destination ports that are limited; without any, nothing is"
[settings.allowed_source_prefix_of_the_management_network]
type = "ipv6"
global = "c"
default = "2001:db8:85a3:8d3:1319:8a2e:370:7348"
help = "never limited"
[settings.strict]
type = "boolean"
global = "d"
default = false
[settings.table_size]
type = "u32"
max_entries_of = "flows"
help = "connections that are remembered"
[metrics.connections_that_were_dropped_because_of_the_limit]
map = "e"
kind = "counter"
help = "new connections dropped because more than the limit came in one second"
[metrics.open]
map = "f"
kind = "gauge"
"""
INCOMPLETE = ReviewFinding(
    "metadata-complete",
    "warning",
    "People can find the package and learn what it is for.",
    "Add what is missing to skep.toml and README.md.",
    (
        "skep.toml names no categories",
        "there is no README.md",
        "the setting rate has no help",
        "the setting ports has no help",
    ),
)
GPL = ReviewFinding(
    "kernel-licence",
    "error",
    "What only GPL-compatible programs may use is used by such programs only.",
    'Declare a kernel licence such as "GPL" or "Dual BSD/GPL", or do without it.',
    ("limiter.o: its kernel licence is 'MIT', but bpf_trace_printk needs a compatible one",),
)


def listing(version: str, digest: Digest) -> VersionListing:
    return VersionListing("skep/limiter", Version.parse(version), digest, "", "", "MIT", "", {}, {})


def plan(
    *findings: ReviewFinding,
    published: tuple[VersionListing, ...] = (),
    obstacle: SkepError | None = None,
) -> PublishPlan:
    uploads = (
        PackagePart("skep.toml", OTHER, 512, is_there=bool(published)),
        PackagePart("limiter.o", OTHER, 61_000, is_there=False),
        PackagePart("manifest", DIGEST, 1200, is_there=False),
        PackagePart("signature", OTHER, 1900, is_there=False),
    )
    survey = PublicationSurvey("skep/limiter", Version(1, 2, 0), DIGEST, uploads, published, None)
    found = Found(
        ContentStore(Path("dist")), Descriptor("x", DIGEST, 1), "skep/limiter", "skep/limiter:1.2.0"
    )
    rules = tuple(f"rule-{number}" for number in range(14))
    return PublishPlan(found, PLACE, survey, ReviewVerdict(findings, rules), frozenset(), obstacle)


DRAWN: dict[str, Callable[[Surface], Iterable[str]]] = {
    "publish-plan": lambda surface: plan_lines(plan(INCOMPLETE), surface),
    "publish-conflict": lambda surface: plan_lines(
        plan(
            GPL,
            INCOMPLETE,
            published=tuple(listing(f"1.{minor}.0", OTHER) for minor in (2, 1, 0, 4, 5, 6)),
            obstacle=Conflict(f"skep/limiter:1.2.0 is published with other content, {OTHER}"),
        ),
        surface,
    ),
    "publish-warnings": lambda surface: warning_texts(ReviewVerdict((INCOMPLETE,), ()), surface),
    "many-settings": lambda surface: metadata_lines(
        parse_metadata(metadata_toml(more=MANY)), surface
    ),
    "search-nothing": lambda surface: hit_lines((), "limit udp", PLACE, surface),
    "search-empty": lambda surface: hit_lines((), "", PLACE, surface),
}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", DRAWN)
def test_what_is_shown_is_what_was_reviewed(name: str, surface: str) -> None:
    lines = [line for text in DRAWN[name](SURFACES[surface]) for line in text.split("\n")]
    check_snapshot(f"authoring/{name}.{surface}", lines)


def test_every_snapshot_is_of_something_that_is_shown() -> None:
    kept = {path.stem for path in (DIRECTORY / "authoring").glob("*.txt")}
    assert kept == {f"{name}.{surface}" for name in DRAWN for surface in SURFACES}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_many_settings_fit_their_terminal(width: int) -> None:
    lines = list(DRAWN["many-settings"](Surface(width)))
    assert [line for line in lines if columns(line) > width] == []


def test_a_whole_surface_leaves_no_problem_out() -> None:
    (text,) = warning_texts(ReviewVerdict((INCOMPLETE,), ()), Surface(is_whole=True))
    assert "the setting ports has no help" in text
