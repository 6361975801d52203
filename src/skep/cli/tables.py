"""Tables: columns as wide as their widest cell, or as a terminal has room for.

A table that fits needs no library. One that does not is laid out by rich, which is loaded for it:
that takes longer than all the rest of ``skep list``.
"""

from collections.abc import Sequence

from skep.cli.surfaces import Surface, columns

_GAP = 2
_NARROWEST = 12  # columns of the one that gives way, before others do


def table(
    rows: Sequence[Sequence[str]],
    heading: Sequence[str],
    surface: Surface | None = None,
    *,
    gives_way: str = "",
) -> list[str]:
    """Lay rows out in columns; the last column is not padded.

    Args:
        rows: cells, which may be coloured.
        heading: of the columns; printed in capitals.
        surface: what it is drawn on; a pipe if left out.
        gives_way: heading of the column that is wrapped if there is not room for all; the last one
            if left out. The others hold names, which people copy.

    >>> table([["a", "bb"], ["ccc", "d"]], ["x", "y"])
    ['X    Y', 'a    bb', 'ccc  d']
    """
    surface = surface or Surface()
    titles = [each.upper() for each in heading]
    everything = [titles, *[list(row) for row in rows]]
    widths = [max(columns(row[column]) for row in everything) for column in range(len(heading))]
    if surface.width is not None and sum(widths) + _GAP * (len(widths) - 1) > surface.width:
        return _narrowed(rows, titles, surface.width, (gives_way or heading[-1]).upper(), widths)
    lines = []
    for row in everything:
        cells = [
            cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=True)
        ]
        lines.append((" " * _GAP).join(cells).rstrip())
    return lines


def _narrowed(
    rows: Sequence[Sequence[str]],
    titles: Sequence[str],
    width: int,
    gives_way: str,
    widths: Sequence[int],
) -> list[str]:
    """The same with one column wrapped, and others only if that is not enough."""
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="")
    left = width - sum(widths) + widths[titles.index(gives_way)] - _GAP * (len(widths) - 1)
    for title, widest in zip(titles, widths, strict=True):
        if left < _NARROWEST:
            drawn.add_column(title, overflow="fold")
        else:
            room = left if title == gives_way else widest
            drawn.add_column(title, width=room, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text.from_ansi(cell) for cell in row))
    has_colour = any("\x1b" in cell for row in rows for cell in row)
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=has_colour,
        color_system="standard" if has_colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as captured:
        console.print(drawn)
    return [line.rstrip() for line in captured.get().splitlines()]
