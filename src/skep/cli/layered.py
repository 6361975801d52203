"""A small layered layout for control flow: blocks in rows, edges between them.

A row is as far from the entry as its longest path without back edges; in a row blocks are
ordered by the average place of those that lead to them. Same blocks, same picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """Where a block is; pixels, ``x`` and ``y`` of the upper left corner."""

    x: int
    y: int
    width: int
    height: int


def lay_out(
    sizes: Mapping[int, tuple[int, int]],
    successors: Mapping[int, Sequence[int]],
    gap: tuple[int, int] = (28, 44),
) -> dict[int, Box]:
    """Place every block.

    Args:
        sizes: width and height by first slot, in reverse post-order (entry first): an edge to a
            block that is not later in this order goes backwards.
        successors: by first slot.
    """
    order = {start: index for index, start in enumerate(sizes)}
    row = dict.fromkeys(order, 0)
    before: dict[int, list[int]] = {start: [] for start in order}
    for start in order:
        for following in successors.get(start, ()):
            if following in order and order[following] > order[start]:
                row[following] = max(row[following], row[start] + 1)
                before[following].append(start)
    rows: dict[int, list[int]] = {}
    for start, number in row.items():
        rows.setdefault(number, []).append(start)
    centre: dict[int, float] = {}
    boxes: dict[int, Box] = {}
    y = 0
    for number in sorted(rows):
        wished = {
            start: sum(centre[each] for each in before[start]) / len(before[start])
            if before[start]
            else 0.0
            for start in rows[number]
        }
        members = sorted(rows[number], key=lambda start: (wished[start], order[start]))
        total = sum(sizes[start][0] for start in members) + gap[0] * (len(members) - 1)
        middle = sum(wished.values()) / len(wished)
        x = round(middle - total / 2)
        for start in members:
            width, height = sizes[start]
            if len(members) == 1:
                x = round(wished[start] - width / 2)
            boxes[start] = Box(x, y, width, height)
            centre[start] = x + width / 2
            x += width + gap[0]
        y += max(sizes[start][1] for start in members) + gap[1]
    left = min((box.x for box in boxes.values()), default=0)
    return {start: Box(box.x - left, box.y, box.width, box.height) for start, box in boxes.items()}
