"""Newer versions, from what marketplaces said."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.deployments import deployment

from skep.cli.newer_versions import with_newer
from skep.node.looking.listing import Listed
from skep.node.looking.standing import Newer, Standing
from skep.node.records import Installed
from skep.packages.local.heard import note_heard
from skep.versions import Version

AT = "2026-11-30T16:59:57Z"


def newer(path: Path, reference: str) -> Newer | None:
    declared = replace(deployment(), reference=reference)
    listed = Listed(Installed(declared, "2026-11-23T08:00:00Z"), "running")
    ((_, standing),) = with_newer(path, [listed], [Standing()])
    return standing.newer


@pytest.mark.parametrize(
    ("reference", "heard", "is_newer"),
    [
        ("market.example/skep/limit:1.0.0", "1.1.0", True),
        ("market.example/skep/limit:1.1.0", "1.1.0", False),
        ("market.example/skep/limit:1.2.0", "1.1.0", False),
        ("market.example/skep/limit:1.1.0", "2.0.0-rc.1", False),
        ("other.example/skep/limit:1.0.0", "1.1.0", False),
        ("market.example/skep/filter:1.0.0", "1.1.0", False),
        ("skep/limit:1.0.0", "1.1.0", False),
    ],
)
def test_what_the_marketplace_it_came_from_has_is_compared(
    tmp_path: Path,
    reference: str,
    heard: str,
    is_newer: bool,  # noqa: FBT001 - a case
) -> None:
    path = tmp_path / "heard.json"
    note_heard(path, "market.example", {"skep/limit": Version.parse(heard)}, AT)
    expected = Newer(heard, "market.example", AT) if is_newer else None
    assert newer(path, reference) == expected


def test_nothing_is_newer_where_nothing_was_heard(tmp_path: Path) -> None:
    assert newer(tmp_path / "heard.json", "market.example/skep/limit:1.0.0") is None
