"""The document of a run as tables for people; docs/explanation/soundness.md has one run's."""

from collections.abc import Mapping
from typing import Any

from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.linking.core.kinds import CoreKind

_COLUMNS = 3


def _several(counts: Mapping[str, int], names: Mapping[str, str] | None = None) -> list[str]:
    """Names with their counts, in a few columns."""
    cells = [f"{(names or {}).get(name, name)} {count:,}" for name, count in counts.items()]
    return ["```", *_in_columns(cells), "```"]


def _in_columns(cells: list[str]) -> list[str]:
    rows = -(-len(cells) // _COLUMNS)
    columns = [cells[start : start + rows] for start in range(0, len(cells), rows)]
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for row in range(rows):
        parts = [
            column[row].ljust(width)
            for column, width in zip(columns, widths, strict=True)
            if row < len(column)
        ]
        lines.append("  ".join(parts).rstrip())
    return lines


def tables(document: Mapping[str, Any]) -> str:
    """Types, permissions, helpers, kernel functions, CO-RE records of a run."""
    kinds: Mapping[str, Mapping[str, int]] = document["types"]
    lines = ["| type | accepted | refused by the verifier or the linker |", "|---|---|---|"]
    for name, states in kinds.items():
        refused = sum(states.values()) - states.get("accepted", 0)
        lines.append(f"| {name} | {states.get('accepted', 0):,} | {refused:,} |")
    accepted = sum(states.get("accepted", 0) for states in kinds.values())
    total = sum(sum(states.values()) for states in kinds.values())
    lines.append(f"| **all** | **{accepted:,}** | {total - accepted:,} |")
    lines += [
        "",
        "| permission | programs that needed it | programs that show it |",
        "|---|---|---|",
    ]
    shown: Mapping[str, int] = document["shown"]
    needed: Mapping[str, int] = document["needed"]
    for name in sorted(shown, key=lambda each: (-needed.get(each, 0), each)):
        lines.append(f"| `{name}` | {needed.get(name, 0):,} | {shown[name]:,} |")
    helpers = {str(number): facts.name.removeprefix("bpf_") for number, facts in HELPERS.items()}
    by_number = dict(sorted(document["helpers"].items(), key=lambda item: int(item[0])))
    kinds_of_core = {str(kind.value): kind.name.lower() for kind in CoreKind}
    by_kind = dict(sorted(document["core_kinds"].items(), key=lambda item: int(item[0])))
    for title, part in (
        (f"Helpers ({len(by_number)})", _several(by_number, helpers)),
        (
            f"Kernel functions ({len(document['kernel_functions'])})",
            _several(document["kernel_functions"]),
        ),
        ("CO-RE records by kind", _several(by_kind, kinds_of_core)),
        ("Ways of computing the exit value", _several(document["endings"])),
    ):
        lines += ["", f"**{title}**, and the number of programs with them:", "", *part]
    return "\n".join(lines)
