"""Positions inside layers: near one's neighbours, in order, without overlap.

Each layer is a least squares problem with an order to keep, which pooling adjacent violators
solves exactly in linear time (Ayer and others, 1955).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

_SWEEPS = 8
_STRAIGHT = 8.0  # how much more a lane wants to be straight than a box wants to be near


@dataclass(slots=True)
class Cell:
    """A box in its layer, or a lane that passes it.

    Attributes:
        number: its own.
        layer: from the top.
        width: pixels; 0 for a lane.
        is_lane: not a box.
        above: numbers of its neighbours one layer up.
        below: numbers of its neighbours one layer down.
    """

    number: int
    layer: int
    width: float
    is_lane: bool = False
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


def positions(
    rows: Sequence[Sequence[int]], cells: Sequence[Cell], *, space: float, lane: float
) -> list[float]:
    """Centre of every cell, whole pixels; the leftmost edge is 0.

    Args:
        rows: numbers by layer, in order from the left.
        space: pixels between two boxes, or a box and a lane.
        lane: pixels between two lanes.
    """
    x = [0.0] * len(cells)
    offsets = [_offsets(row, cells, space, lane) for row in rows]
    for row, offset in zip(rows, offsets, strict=True):
        for number, place in zip(row, offset, strict=True):
            x[number] = place
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        order = range(len(rows)) if downwards else range(len(rows) - 1, -1, -1)
        for layer in order:
            wishes, weights = [], []
            for number in rows[layer]:
                near = cells[number].above if downwards else cells[number].below
                near = near or cells[number].below or cells[number].above
                wishes.append(sum(x[each] for each in near) / len(near) if near else x[number])
                straight = cells[number].is_lane and any(cells[each].is_lane for each in near)
                weights.append(_STRAIGHT if straight else 1.0)
            for number, place in zip(
                rows[layer], _pool(wishes, weights, offsets[layer]), strict=True
            ):
                x[number] = place
    left = min((x[cell.number] - cell.width / 2 for cell in cells), default=0.0)
    moved = [float(round(each - left)) for each in x]
    for row, offset in zip(rows, offsets, strict=True):  # rounding must not cost the distance
        for index in range(1, len(row)):
            least = moved[row[index - 1]] + round(offset[index] - offset[index - 1] + 0.5)
            moved[row[index]] = max(moved[row[index]], least)
    return moved


def _offsets(row: Sequence[int], cells: Sequence[Cell], space: float, lane: float) -> list[float]:
    """Centres of a row that is packed as tightly as allowed."""
    places = []
    here = 0.0
    for index, number in enumerate(row):
        if index:
            last, cell = cells[row[index - 1]], cells[number]
            between = lane if last.is_lane and cell.is_lane else space
            here += last.width / 2 + between + cell.width / 2
        places.append(here)
    return places


def _pool(
    wishes: Sequence[float], weights: Sequence[float], offsets: Sequence[float]
) -> list[float]:
    """Nearest places to ``wishes`` that are at least as far apart as ``offsets`` are."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for wish, weight, offset in zip(wishes, weights, offsets, strict=True):
        mean, total, count = wish - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, heavy, more = pools.pop()
            mean = (mean * total + other * heavy) / (total + heavy)
            total += heavy
            count += more
        pools.append((mean, total, count))
    flat = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=True)]
