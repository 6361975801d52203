"""``skep inspect --graph``: control flow as SVG, without scripts, the same bytes every time."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from html import escape
from itertools import pairwise
from pathlib import Path

from skep.bytecode.analysis.control_flow import Block, flow_of
from skep.bytecode.analysis.listing import ListedFunction, ListedInstruction, list_program
from skep.bytecode.linking.layout import needed_functions
from skep.bytecode.objectfile.model import Function, ObjectFile
from skep.cli.layered import Box, lay_out
from skep.cli.output import Output
from skep.cli.subjects import Subject
from skep.errors import NotFound, NotPermitted, Unsupported, UsageError

MOST_BLOCKS = 1500
_MOST_LINES = 14  # of a block; the middle of longer ones is left out
_MOST_CHARACTERS = 72
_CHARACTER = 7  # pixels, of 12 pixel monospace
_LINE = 16
_MARGIN = 24
_STYLE = """
svg{background:#fff;color:#1b1f24}
text{font:12px ui-monospace,'DejaVu Sans Mono',monospace;fill:currentColor;white-space:pre}
.title{font-weight:bold}.dim{opacity:.6}.call{fill:#0550ae}
rect{fill:#f6f8fa;stroke:#57606a;rx:4px}
path{fill:none;stroke-width:1.5px}
.next{stroke:#57606a}.taken{stroke:#1a7f37;stroke-dasharray:6 3}
.back{stroke:#bc4c00}.calls{stroke:#0550ae;stroke-dasharray:2 3}
@media(prefers-color-scheme:dark){svg{background:#0d1117;color:#e6edf3}
rect{fill:#161b22;stroke:#8b949e}.next{stroke:#8b949e}.taken{stroke:#3fb950}
.back{stroke:#f0883e}.calls{stroke:#58a6ff}.call{fill:#58a6ff}}
"""


def draw(subject: Subject, program: str | None, to: Path | None, output: Output) -> None:
    """Write the graph of a program to ``to``, or to standard output.

    Raises:
        UsageError: several programs and none named, or none of that name.
        Unsupported: too many blocks to be read by anybody.
        NotFound, NotPermitted: ``to`` cannot be written.
    """
    objects = subject.read()
    known = [(each, spec.name) for each in objects.values() for spec in each.programs]
    names = [name for _, name in known]
    if program is None and len(known) != 1:
        raise UsageError(
            f"expected --program, the object has {len(known)}",
            hint=f"programs here: {', '.join(names[:12]) or 'none'}",
        )
    chosen = [each for each in known if program in (None, each[1])]
    if not chosen:
        raise UsageError(
            f"expected the name of a program, got {program!r}",
            hint=f"programs here: {', '.join(names[:12]) or 'none'}",
        )
    picture = svg_of(*chosen[0])
    if to is None:
        document = {**subject.document, "schema": "skep.graph/v1", "svg": picture}
        output.emit(document, lambda: [picture])
        return
    try:
        to.write_text(picture + "\n", encoding="utf-8")
    except PermissionError as error:
        raise NotPermitted(f"{to} may not be written by this user") from error
    except OSError as error:
        raise NotFound(
            f"{to} cannot be written: {error.strerror}", hint="name a file in a folder that exists"
        ) from error
    document = {**subject.document, "schema": "skep.graph/v1", "written": str(to)}
    output.emit(document, lambda: [f"{to} written"])


def svg_of(object_file: ObjectFile, program: str) -> str:
    """The picture of a program and every function it needs.

    Raises:
        Unsupported: more than :data:`MOST_BLOCKS` blocks.
    """
    functions = {function.name: function for function in object_file.functions}
    listed = list_program(object_file, program)
    graphs: list[tuple[ListedFunction, Function, dict[int, Block]]] = []
    count = 0
    for function, shown in zip(needed_functions(program, functions), listed, strict=True):
        blocks = dict(flow_of(function).blocks)
        count += len(blocks)
        if count > MOST_BLOCKS:
            raise Unsupported(
                f"program {program} has more than {MOST_BLOCKS} basic blocks: nobody could read "
                "the picture",
                hint=f"--disassemble --program {program} prints it as text",
            )
        graphs.append((shown, function, blocks))
    parts: list[str] = []
    tops: dict[str, tuple[int, int]] = {}
    calls: list[tuple[tuple[int, int], str]] = []
    y = _MARGIN
    width = 0
    for shown, _, blocks in graphs:
        size = _function(shown, blocks, y, (parts, tops, calls))
        width = max(width, size[0])
        y += size[1] + 2 * _MARGIN
    right = width + 2 * _MARGIN
    for number, (place, name) in enumerate(calls):
        if name in tops:
            parts.append(_call_edge(place, tops[name], right + 10 + 6 * (number % 12)))
    total = right + (100 if calls else 0)
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{y}" '
                f'viewBox="0 0 {total} {y}" role="img">'
            ),
            f"<title>Control flow of {_safe(program)}</title>",
            f"<style>{_STYLE}</style>",
            (
                '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
                'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" '
                'style="fill:#808890;stroke:none"/></marker></defs>'
            ),
            *parts,
            "</svg>",
        ]
    )


def _safe(text: str) -> str:
    return escape("".join(each if each.isprintable() else "\ufffd" for each in text))


def _lines(block: Block, instructions: Iterable[ListedInstruction]) -> list[tuple[str, str, str]]:
    """(class, text, called function) of each line of a block."""
    found: list[tuple[str, str, str]] = []
    for each in instructions:
        if not block.start <= each.own_slot < block.end:
            continue
        text = f"{each.slot:>4}: {each.text}" + (f"  <{each.label}>" if each.label else "")
        if len(text) > _MOST_CHARACTERS:
            text = text[: _MOST_CHARACTERS - 1] + "…"
        found.append(("call" if each.label else "", text, each.label))
    if len(found) > _MOST_LINES:
        left = len(found) - _MOST_LINES + 1
        half = _MOST_LINES // 2
        middle = [("dim", f"      … {left} more", "")]
        found = [*found[:half], *middle, *found[half + left :]]
    return found


Canvas = tuple[list[str], dict[str, tuple[int, int]], list[tuple[tuple[int, int], str]]]


def _function(
    shown: ListedFunction, blocks: dict[int, Block], y: int, canvas: Canvas
) -> tuple[int, int]:
    parts, tops, calls = canvas
    by_block = {start: _lines(block, _within(block, shown)) for start, block in blocks.items()}
    sizes = {
        start: (
            max((len(text) for _, text, _ in lines), default=4) * _CHARACTER + 20,
            len(lines) * _LINE + 12,
        )
        for start, lines in by_block.items()
    }
    boxes = lay_out(sizes, {start: block.successors for start, block in blocks.items()})
    parts.append(f'<text class="title" x="{_MARGIN}" y="{y}">{_safe(shown.name)}</text>')
    tops[shown.name] = (_MARGIN + len(shown.name) * _CHARACTER + 6, y - 4)
    top = y + 14
    placed = {
        start: Box(box.x + _MARGIN, box.y + top, box.width, box.height)
        for start, box in boxes.items()
    }
    right = max((box.x + box.width for box in placed.values()), default=0)
    order = {start: index for index, start in enumerate(blocks)}
    backs = furthest = 0
    for start, block in blocks.items():
        ends = list(block.successors)
        for number, end in enumerate(ends):
            if end not in placed:
                continue
            is_back = order[end] <= order[start]
            kind = "back" if is_back else "taken" if number or end != block.end else "next"
            backs += is_back
            lane = right + 10 + 8 * (backs % 8)
            if not is_back:
                passed = _beside(placed[start], placed[end], placed.values())
                lane = passed + 12 + 6 * number if passed else 0
                furthest = max(furthest, lane)
            parts.append(_edge(placed[start], placed[end], (number, len(ends)), kind, lane))
    for start, box in placed.items():
        parts.append(f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"/>')
        for number, (kind, text, label) in enumerate(by_block[start]):
            line = box.y + 18 + number * _LINE
            name = f' class="{kind}"' if kind else ""
            parts.append(f'<text{name} x="{box.x + 10}" y="{line}">{_safe(text)}</text>')
            if label:
                calls.append(((box.x + box.width, line - 4), label))
    bottom = max((box.y + box.height for box in placed.values()), default=y)
    return max(right + (80 if backs else 0), furthest), bottom - y


def _within(block: Block, shown: ListedFunction) -> Iterator[ListedInstruction]:
    everything = shown.instructions
    first = bisect_left(everything, block.start, key=lambda each: each.own_slot)
    for each in everything[first:]:
        if each.own_slot >= block.end:
            return
        yield each


def _beside(one: Box, two: Box, boxes: Iterable[Box]) -> int:
    """Where an edge passes the rows between its ends; 0 if there are none."""
    between = [box for box in boxes if one.y + one.height < box.y and box.y + box.height < two.y]
    return max((box.x + box.width for box in between), default=0)


def _edge(one: Box, two: Box, port: tuple[int, int], kind: str, lane: int) -> str:
    x = one.x + one.width * (port[0] + 1) // (port[1] + 1)
    y = one.y + one.height
    end = two.x + two.width // 2
    if kind == "back":
        points = [(x, y), (x, y + 14), (lane, y + 14), (lane, two.y - 14), (end, two.y - 14)]
        path = "".join(f"L{a} {b}" for a, b in [*points[1:], (end, two.y)])
        return f'<path class="back" marker-end="url(#tip)" d="M{x} {y}{path}"/>'
    if lane:
        return (
            f'<path class="{kind}" marker-end="url(#tip)" d="M{x} {y}C{x} {y + 22} {lane} {y + 22} '
            f"{lane} {y + 44}L{lane} {two.y - 44}"
            f'C{lane} {two.y - 22} {end} {two.y - 22} {end} {two.y}"/>'
        )
    middle = (two.y - y) // 2
    bend = min(middle, 60)
    return (
        f'<path class="{kind}" marker-end="url(#tip)" '
        f'd="M{x} {y}C{x} {y + bend} {end} {two.y - bend} {end} {two.y}"/>'
    )


def _call_edge(place: tuple[int, int], target: tuple[int, int], lane: int) -> str:
    points = [place, (lane, place[1]), (lane, target[1]), target]
    path = "".join(f"L{x} {y}" for _, (x, y) in pairwise(points))
    return f'<path class="calls" marker-end="url(#tip)" d="M{place[0]} {place[1]}{path}"/>'
