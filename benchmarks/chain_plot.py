"""The chain benchmark as a picture: SVG text, no library."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 170, 48, 56
_COLOURS = {"spliced": "#0b7a4b", "tail": "#b35900", "call": "#5b4bb5"}
_LABELS = {"spliced": "spliced", "tail": "tail calls", "call": "calls"}
_OTHER = "#555555"


def draw(measurements: Mapping[str, Sequence[float]], cost: Mapping[str, float]) -> str:
    """Lines of nanoseconds per packet over the number of members.

    Args:
        measurements: by shape, for 1, 2, … members.
        cost: nanoseconds per member by shape, for the labels.
    """
    members = max(len(values) for values in measurements.values())
    step = _nice_step(max(max(values) for values in measurements.values()) / 6)
    top = step * 7
    while top - step >= max(max(values) for values in measurements.values()):
        top -= step
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="13">'
    )
    heading = f'<text x="{_LEFT}" y="26" font-size="15" fill="#222222">'
    parts = [
        drawing,
        "<title>Cost of a chain by its number of programs</title>",
        "<desc>" + escape(_described(cost)) + "</desc>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        heading + "Nanoseconds per packet, by programs in the chain</text>",
    ]
    for n in range(round(top / step) + 1):
        y = _y(n * step, top)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#dddddd"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#444444">'
            f"{n * step:g}</text>"
        )
    for n in range(1, members + 1):
        parts.append(
            f'<text x="{_x(n, members):.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle"'
            f' fill="#444444">{n}</text>'
        )
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" y="{_HEIGHT - 14}" text-anchor="middle"'
        ' fill="#444444">programs</text>'
    )
    heights = _spread([_y(values[-1], top) for values in measurements.values()])
    for (shape, values), height in zip(measurements.items(), heights, strict=True):
        colour = _COLOURS.get(shape, _OTHER)
        points = [(_x(n, members), _y(value, top)) for n, value in enumerate(values, 1)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(
            f'<text x="{points[-1][0] + 10:.1f}" y="{height + 4:.1f}" fill="{colour}">'
            f"{escape(_label(shape, cost))}</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def _label(shape: str, cost: Mapping[str, float]) -> str:
    return f"{_LABELS.get(shape, shape)}: {cost[shape]:.1f} ns each"


def _described(cost: Mapping[str, float]) -> str:
    return "; ".join(_label(shape, cost) for shape in cost)


def _x(member: int, members: int) -> float:
    return _LEFT + 16 + (_WIDTH - _LEFT - _RIGHT - 32) * (member - 1) / max(members - 1, 1)


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top


def _nice_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, not below ``least``.

    >>> _nice_step(13), _nice_step(0.3), _nice_step(5)
    (20.0, 0.5, 5.0)
    """
    power = 1.0
    while power < least:
        power *= 10
    while power / 10 >= least:
        power /= 10
    return next((power / part for part in (5, 2) if power / part >= least), power)


def _spread(heights: Sequence[float]) -> list[float]:
    """Heights of labels, moved apart so that no two overlap, in the order given."""
    out = list(heights)
    order = sorted(range(len(out)), key=lambda n: out[n])
    for above, below in pairwise(order):
        out[below] = max(out[below], out[above] + 18)
    return out
