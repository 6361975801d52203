"""Control flow as SVG: text, no scripts, nothing referred to, the same bytes for the same code.

Names and source lines come from a foreign object. Two rules for them:

(1) Everything that is not printable becomes a visible escape before it gets into the picture:
    XML 1.0 allows most control characters and lone surrogates not even as references, and
    bidirectional overrides would show another text than is there.
(2) What XML gives a meaning is escaped, and no line is longer than ``LONGEST`` characters.
"""

from collections.abc import Sequence
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from skep.bytecode.analysis.graph.content import Box, FunctionGraph
from skep.bytecode.analysis.graph.layout import BlockSize, GraphLayout, Route, lay_out

LONGEST = 72  # characters of a line
_CHARACTER = 7.3  # pixels, of 12 px monospace
_LINE = 16
_PADDING = 8
_MARGIN = 24
_STYLE = """
svg{background:#fff;font:12px 'DejaVu Sans Mono',ui-monospace,Menlo,Consolas,monospace}
text{fill:#1f2328;white-space:pre}.bg{fill:#fff}
.box{fill:#f6f8fa;stroke:#8c959f}.dead{fill:#eaeef2;stroke:#b6bec7;stroke-dasharray:3 3}
.place,.left-out,.remark{fill:#59636e}.call{fill:#8250df}.branch{font-weight:bold}
.gone{fill:#818b98}.title{font-size:15px;font-weight:bold}
.arrow{fill:none;stroke-width:1.5}
.yes{stroke:#1a7f37;stroke-dasharray:6 3}.no{stroke:#cf222e}.on{stroke:#59636e}
.up{stroke:#bc4c00;stroke-width:2.5}.head{stroke:none}.yes.head,.word.yes{fill:#1a7f37;stroke:none}
.no.head,.word.no{fill:#cf222e;stroke:none}.on.head{fill:#59636e}.word{font-size:11px}
@media(prefers-color-scheme:dark){
svg{background:#0d1117}.bg{fill:#0d1117}text{fill:#e6edf3}
.box{fill:#161b22;stroke:#6e7681}.dead{fill:#1c2128;stroke:#444c56}
.place,.left-out,.remark{fill:#9198a1}.call{fill:#c297ff}.gone{fill:#6e7681}
.yes{stroke:#3fb950}.no{stroke:#ff7b72}.on{stroke:#9198a1}.up{stroke:#f0883e}.head{stroke:none}
.yes.head,.word.yes{fill:#3fb950;stroke:none}.no.head,.word.no{fill:#ff7b72;stroke:none}
.on.head{fill:#9198a1}}
"""


def draw(functions: Sequence[FunctionGraph]) -> str:
    """Draw functions one below the other."""
    parts: list[str] = []
    width, y = 520.0, float(_MARGIN)
    y = _legend(parts, y)
    for function in functions:
        y += 20
        parts.append(
            f'<text class="title" x="{_MARGIN}" y="{y:g}">{_text(function.name)}'
            f'</text><text class="remark" x="{_MARGIN}" y="{y + 17:g}">'
            f"{_text(function.remark)}</text>"
        )
        y += 32
        layout = lay_out([_size(box) for box in function.boxes], function.arrows)
        parts.append(f'<g transform="translate({_MARGIN} {y:g})">')
        _function(parts, function, layout)
        parts.append("</g>")
        y += layout.height + 24
        widest = max(len(_text(function.name)) * 9.2, len(function.remark) * _CHARACTER)
        width = max(width, layout.width, widest)
    size = f"{width + 2 * _MARGIN:g}", f"{y + _MARGIN:g}"
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
                f'viewBox="0 0 {size[0]} {size[1]}">'
            ),
            f"<style>{_STYLE}</style>",
            f'<rect class="bg" width="{size[0]}" height="{size[1]}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _legend(parts: list[str], y: float) -> float:
    x = float(_MARGIN)
    entries = [("yes", "jump taken"), ("no", "not taken"), ("on", "continues"), ("on up", "loop")]
    for kind, words in entries:
        parts.append(f'<path class="arrow {kind}" d="M{x:g} {y - 4:g}h28"/>')
        parts.append(f'<text class="remark" x="{x + 34:g}" y="{y:g}">{words}</text>')
        x += 34 + len(words) * _CHARACTER + 22
    return y + 12


def _function(parts: list[str], function: FunctionGraph, layout: GraphLayout) -> None:
    parts.extend(_route(route) for route in layout.routes)
    for box, placed in zip(function.boxes, layout.boxes, strict=True):
        kind = "box" if box.reachable else "dead"
        parts.append(
            f'<rect class="{kind}" x="{placed.x:g}" y="{placed.y:g}" width="{placed.width:g}" '
            f'height="{placed.height:g}" rx="4"/>'
        )
        for index, line in enumerate(box.lines):
            row = placed.y + _PADDING + _LINE * index + 12
            style = line.kind if box.reachable else "gone"
            parts.append(
                f'<text class="{style}" x="{placed.x + _PADDING:g}" y="{row:g}">'
                f"{_text(line.text)}</text>"
            )
    for arrow, (x, y) in layout.ports.items():
        if arrow.kind in {"yes", "no"}:
            parts.append(
                f'<text class="word {arrow.kind}" x="{x + 4:g}" y="{y + 12:g}">{arrow.kind}</text>'
            )


def _route(route: Route) -> str:
    path = "".join(f"M{a:g} {b:g}L{c:g} {d:g}" for a, b, c, d in route.strokes)
    x, y = route.tip
    up = " up" if route.upwards else ""
    return (
        f'<path class="arrow {route.kind}{up}" d="{path}"/>'
        f'<path class="{route.kind} head" d="M{x:g} {y:g}l-4 -8h8z"/>'
    )


def _size(box: Box) -> BlockSize:
    widest = max(sum(2 if east_asian_width(c) in "WF" else 1 for c in _plain(line.text))
                 for line in box.lines)  # fmt: skip
    return BlockSize(
        max(120.0, 2.0 * round((widest * _CHARACTER + 2 * _PADDING) / 2)),
        float(_LINE * len(box.lines) + 2 * _PADDING - 2),
    )


def _plain(text: str) -> str:
    # (1) Nothing unprintable: no control, surrogate, format or bidirectional character.
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    shown = "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in cut)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def _text(text: str) -> str:
    # (2) Nothing that XML gives a meaning.
    return escape(_plain(text), {'"': "&quot;"})
