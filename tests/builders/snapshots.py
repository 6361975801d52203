"""What a terminal shows, kept as files that people review.

``./dev snapshots`` writes them anew; the difference is then read before it is committed. Colours
are written as ``<red>`` and ``</>``, so that a file can be read, and a line compared.
"""

import os
import re
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

import pytest

from skep.cli.surfaces import Surface

DIRECTORY = Path(__file__).resolve().parents[1] / "snapshots"
RENEW = "SKEP_RENEW_SNAPSHOTS"

SURFACES = {
    "80": Surface(80),
    "120": Surface(120),
    "piped": Surface(),
    "colour": Surface(80, has_colour=True),
}
"""What every snapshot is drawn on."""

_NAMES = {
    "0": "/",
    "1": "bold",
    "2": "dim",
    "31": "red",
    "32": "green",
    "33": "yellow",
    "36": "cyan",
}


def legible(line: str) -> str:
    """A line with names for colours."""
    return re.sub(
        r"\x1b\[([0-9;]*)m",
        lambda match: f"<{'+'.join(_NAMES[code] for code in match[1].split(';'))}>",
        line,
    )


def check_snapshot(name: str, lines: Iterable[str]) -> None:
    """Compare with the file ``name``; the first line that differs is told."""
    path = DIRECTORY / f"{name}.txt"
    shown = [legible(line) for line in lines]
    if os.environ.get(RENEW):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(shown) + "\n", encoding="utf-8")
        return
    known = path.read_text("utf-8").splitlines() if path.is_file() else []
    for number, (before, now) in enumerate(zip_longest(known, shown), 1):
        if before != now:
            pytest.fail(
                f"tests/snapshots/{name}.txt:{number} differs\n"
                f"  kept:  {before!r}\n"
                f"  shown: {now!r}\n"
                "if it is meant: ./dev snapshots, then read the difference",
                pytrace=False,
            )
