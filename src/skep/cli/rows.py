"""Rows as labels and previews have them: a name at the left edge, values in one column beside it.

On a terminal what does not fit goes on in a further line, a little to the right; elsewhere lines
stay whole. Nothing here knows what the rows are about.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from skep.cli.surfaces import Surface, columns, wrapped

NAME_WIDTH = 9  # columns of the names at the left edge
_HANGING = 2  # columns that what did not fit is indented by
_GAP = 2  # columns at least between cells
_USUAL_CELL = 24  # columns; on a terminal, wider cells stick out
_NARROWEST = 28  # columns of text that leave room for something at the right
_WIDEST = 100  # columns; beyond, eyes no longer find what is at the right


@dataclass(frozen=True, slots=True)
class Marked:
    """A value with a mark before it and something at the right.

    Attributes:
        mark: one character, coloured or not.
        text: what it says.
        right: what the eye finds at the right; left out where there is no room.
    """

    mark: str
    text: str
    right: str = ""


def field_lines(name: str, values: Iterable[str], surface: Surface) -> Iterator[str]:
    """A name at the left, values below one another beside it."""
    for value in values:
        room = _room(surface)
        first, *further = wrapped(value, room)
        if further:
            first, *further = wrapped(value, room and room - _HANGING)
        yield f"{name:<{NAME_WIDTH}}{first}".rstrip()
        for line in further:
            yield " " * (NAME_WIDTH + _HANGING) + line
        name = ""


def joined_lines(name: str, parts: Sequence[str], surface: Surface) -> Iterator[str]:
    """A name at the left, short parts in a row beside it; a line ends between two of them."""
    if parts:
        room = _room(surface)
        lines = [""]
        for part in parts:
            longer = f"{lines[-1]} · {part}" if lines[-1] else part
            if lines[-1] and room is not None and columns(longer) > room - _GAP:
                lines[-1] += " ·"
                lines.append(part)
            else:
                lines[-1] = longer
        yield from field_lines(name, lines, surface)


def right_width(values: Iterable[Marked]) -> int:
    """Columns that what is at the right of some lines takes, for lines that align with others."""
    return max((columns(each.right) for each in values), default=0)


def marked_lines(
    name: str, values: Sequence[Marked], surface: Surface, *, right: int = 0
) -> Iterator[str]:
    """As :func:`field_lines`; what is at the right begins in one column of its own.

    Args:
        right: columns to leave for it at least; see :func:`right_width`.
    """
    room = _room(surface)
    widest = max(right, right_width(values))
    text_room = None if room is None else room - widest - 2 - _GAP
    has_right = text_room is None or text_room >= _NARROWEST
    if room is not None and (text_room is None or not has_right):
        text_room = room - 2
    for each in values:
        first, *further = wrapped(each.text, text_room)
        line = f"{name:<{NAME_WIDTH}}{each.mark} {first}"
        if has_right and each.right:
            missing = 0 if text_room is None else text_room - columns(first)
            line += " " * (missing + _GAP) + each.right
        yield line.rstrip()
        for rest in further:
            yield " " * (NAME_WIDTH + 2) + rest
        name = ""


def column_lines(name: str, rows: Sequence[Sequence[str]], surface: Surface) -> Iterator[str]:
    """A name at the left, a table beside it; the last column is wrapped within itself.

    On a terminal a cell that is much wider than others widens no column: its row sticks out, and
    its last cell goes below.
    """
    if not rows:
        return
    room = _room(surface)
    widths = _widths(rows, room)
    before = sum(widths) + _GAP * len(widths)
    is_beside = room is None or room - before >= _NARROWEST
    for row in rows:
        cells = "".join(
            cell + " " * (max(width - columns(cell), 0) + _GAP)
            for cell, width in zip(row, widths, strict=False)
        )
        if is_beside and columns(cells) == before:
            first, *further = wrapped(row[-1], room and room - before)
            yield f"{name:<{NAME_WIDTH}}{cells}{first}".rstrip()
            yield from (" " * (NAME_WIDTH + before) + line for line in further)
        else:
            first, *further = wrapped(cells.rstrip(), room)
            if further:
                first, *further = wrapped(cells.rstrip(), room and room - _HANGING)
            yield f"{name:<{NAME_WIDTH}}{first}".rstrip()
            if row[-1]:
                further += wrapped(row[-1], room and room - _HANGING)
            for line in further:
                yield " " * (NAME_WIDTH + _HANGING) + line
        name = ""


def _widths(rows: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Columns that all cells but the last take in most rows."""
    widths = []
    for column in range(len(rows[0]) - 1):
        found = [columns(row[column]) for row in rows]
        usual = [width for width in found if room is None or width <= _USUAL_CELL]
        widths.append(max(usual or found))
    return widths


def _room(surface: Surface) -> int | None:
    if surface.width is None:
        return None
    return max(min(surface.width, _WIDEST) - NAME_WIDTH, 20)
