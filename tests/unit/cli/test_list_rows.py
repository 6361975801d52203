"""What ``skep list`` prints: rows that fit, and everything there is to say."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.builders.deployments import deployment

from skep.cli.list_rows import ListRow, damaged_row, list_lines, list_row, state_text
from skep.cli.surfaces import Surface, columns
from skep.hooks.target import HookTarget
from skep.node.looking.listing import Listed
from skep.node.looking.standing import Newer, Standing
from skep.node.records import Installed

ONE = Installed(deployment(), "2026-11-23T08:00:00Z")
LISTED = Listed(ONE, "running")
NEWER = Newer("1.3.0", "market.example", "2026-11-30T16:59:57Z")
SIGNED = Standing()


def lines(rows: Sequence[ListRow], width: int | None = None, *, is_wide: bool = False) -> list[str]:
    return list(list_lines(rows, Surface(width), is_wide=is_wide))


@pytest.mark.parametrize(
    ("maps", "text"),
    [
        ((), "not running"),
        (("a",), "not running; missing map: a"),
        (("a", "b"), "not running; missing maps: a, b"),
    ],
)
def test_missing_maps_are_listed(maps: tuple[str, ...], text: str) -> None:
    assert state_text(Listed(ONE, "not running", maps)) == text


def test_the_host_is_named_where_another_namespace_was_declared() -> None:
    declared = deployment(on="xdp:ncB@netns:3")
    called = HookTarget("xdp", "ncB")
    listed = Listed(Installed(declared, ONE.installed_at), "running", called=called)
    assert state_text(listed) == "running on ncB (host)"


def test_a_new_name_in_another_namespace_is_told_with_it() -> None:
    called = HookTarget("xdp", "eth0", "blue")
    assert state_text(replace(LISTED, called=called)) == "running on eth0@blue"


def test_what_is_not_known_has_its_reason() -> None:
    listed = replace(LISTED, condition="not known", reason="CAP_SYS_ADMIN is missing")
    assert state_text(listed) == "not known: CAP_SYS_ADMIN is missing"


def test_settings_and_what_is_out_are_below_the_row() -> None:
    standing = Standing("signed", {"rate": "5/s", "ports": "80, 443"}, NEWER)
    assert lines([list_row(LISTED, standing, "")]) == [
        "NAME   PACKAGE           ON        STATE    TRUST",
        "limit  skep/limit 1.0.0  xdp:eth0  running  signed",
        "  rate 5/s · ports 80, 443",
        "  1.3.0 is out (market.example, 2026-11-30)",
    ]


@pytest.mark.parametrize(
    ("standing", "text"),
    [(Standing("unsigned"), "UNSIGNED"), (Standing("distrusted"), "distrusted")],
)
def test_what_is_not_trusted_is_told_in_red(standing: Standing, text: str) -> None:
    coloured = list_lines([list_row(LISTED, standing, "")], Surface(80, True), is_wide=False)  # noqa: FBT003
    assert list(coloured)[1].endswith(f"\x1b[31m{text}\x1b[0m")


LONG = replace(
    LISTED,
    installed=Installed(
        deployment(
            "a-rather-long-name-for-a-deployment", on="tcx-ingress:enp0s31f6np0d1@namespace-of-blue"
        ),
        ONE.installed_at,
    ),
    condition="detached",
    maps_missing=("counts", "ports"),
)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_rows_fit_the_terminal(width: int) -> None:
    rows = [list_row(LONG, Standing("unsigned", {"ports": "80, " * 40}, NEWER), "")]
    rows += [list_row(LISTED, SIGNED, ""), damaged_row("broken")]
    shown = lines(rows, width)
    assert [line for line in shown if columns(line) > width] == []
    assert "missing maps: counts, ports" in " ".join(" ".join(shown).split())


def test_wide_shortens_nothing_and_shows_more() -> None:
    heading, row = lines([list_row(LONG, SIGNED, "")], 80, is_wide=True)
    assert heading.split() == [
        "NAME", "PACKAGE", "ON", "STATE", "TRUST", "ORDER", "DIGEST", "INSTALLED",
    ]  # fmt: skip
    assert LONG.deployment.name in row
    assert state_text(LONG) in row
    assert row.endswith(f"10     sha256:{'ab' * 32}  2026-11-23")


def test_a_damaged_record_has_a_row() -> None:
    assert lines([damaged_row("broken")])[1].split() == [
        "broken",
        "?",
        "?",
        "record",
        "damaged",
        "?",
    ]
