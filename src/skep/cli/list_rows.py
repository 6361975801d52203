"""Rows of ``skep list``: a line for each deployment, and below it what a line has no room for.

On a terminal the columns fit: a state of many words goes below, then the package, and at last names
are shortened. Elsewhere, and with ``--wide``, nothing is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skep.cli.listings import called_text, condition_text, shown_target
from skep.cli.surfaces import Surface, columns, wrapped
from skep.cli.tables import table
from skep.node.looking.listing import Listed
from skep.node.looking.standing import Newer, Standing
from skep.packages.references import parse_reference

_HEADING = ("name", "package", "on", "state", "trust")
_WIDE = ("order", "digest", "installed")
_GAP = 2  # columns between cells
_INDENT = 2
_SHORT_STATE = 16  # characters: "waiting for eth1"
_NARROWEST = 8  # columns that are left of a name
_DATE = 10  # characters of a date at the start of RFC 3339
_PACKAGE = 1  # column
_SHORTENED = (1, 0)  # columns that may be shortened once the package is below, the first one first


@dataclass(frozen=True, slots=True)
class ListRow:
    """A deployment as it is listed.

    Attributes:
        name: of the deployment.
        package: ``publisher/name version``.
        on: hook target, as it is shown in this namespace.
        condition: whether it runs, in a word or two.
        state: the same, with everything there is to say.
        trust: of its package, as of now.
        notes: what is below the line.
        more: order, digest and date of installing, for ``--wide``.
    """

    name: str
    package: str
    on: str
    condition: str
    state: str
    trust: str
    notes: tuple[str, ...] = ()
    more: tuple[str, str, str] = ("", "", "")


def list_row(one: Listed, standing: Standing, here: str) -> ListRow:
    """A deployment as a row.

    Args:
        here: network namespace of this command; empty on the host.
    """
    deployment = one.deployment
    reference = parse_reference(deployment.reference)
    settings = " · ".join(
        f"{name} {text or '(none)'}" for name, text in standing.changed_settings.items()
    )
    return ListRow(
        name=deployment.name,
        package=f"{reference.package} {reference.version or ''}".strip(),
        on=shown_target(deployment.on, here),
        condition=one.condition,
        state=state_text(one),
        trust="UNSIGNED" if standing.trust == "unsigned" else standing.trust,
        notes=tuple(filter(None, (settings, newer_text(standing.newer)))),
        more=(
            str(deployment.order),
            deployment.digest,
            one.installed.installed_at[:_DATE],
        ),
    )


def damaged_row(name: str) -> ListRow:
    """A deployment whose record cannot be read."""
    return ListRow(name, "?", "?", "record damaged", "record damaged", "?", (), ("?", "?", "?"))


def state_text(one: Listed) -> str:
    """How a deployment is, with everything there is to say."""
    on = one.deployment.on
    state = condition_text(on, one.condition, one.reason)
    if one.called is not None:
        state += f" on {called_text(one.called, on)}"
    state += ", not visible from here" if one.is_hidden and one.condition == "running" else ""
    if one.maps_missing:
        maps = "missing map" if len(one.maps_missing) == 1 else "missing maps"
        state += f"; {maps}: {', '.join(one.maps_missing)}"
    return state


def newer_text(newer: Newer | None) -> str:
    """What is out, who said so, and when."""
    if newer is None:
        return ""
    return f"{newer.version} is out ({newer.marketplace}, {newer.heard_at[:_DATE]})"


def list_lines(rows: Sequence[ListRow], surface: Surface, *, is_wide: bool) -> Iterator[str]:
    """All rows below a heading."""
    width = None if is_wide else surface.width
    heading = [*_HEADING, *(_WIDE if is_wide else ())]
    cells = [_cells(row, surface, width, is_wide=is_wide) for row in rows]
    is_below = width is not None and _excess(cells, heading, width) > 0
    if is_below:
        for each in (heading, *cells):
            del each[_PACKAGE]
    if width is not None:
        _fit(cells, heading, width)
    first, *lines = table(cells, heading)
    yield first
    for row, line in zip(rows, lines, strict=True):
        yield line
        for note in (
            *([row.package] if is_below and row.package != "?" else ()),
            *_notes(row, width),
        ):
            for part in wrapped(note, width and width - _INDENT):
                yield " " * _INDENT + part


def _cells(row: ListRow, surface: Surface, width: int | None, *, is_wide: bool) -> list[str]:
    trust = row.trust
    if trust in {"UNSIGNED", "distrusted"} and not is_wide:  # the last column, which is not padded
        trust = surface.style(trust, "red")
    state = row.state if _is_beside(row, width) else row.condition
    return [row.name, row.package, row.on, state, trust, *(row.more if is_wide else ())]


def _notes(row: ListRow, width: int | None) -> tuple[str, ...]:
    return row.notes if _is_beside(row, width) else (row.state, *row.notes)


def _is_beside(row: ListRow, width: int | None) -> bool:
    return width is None or len(row.state) <= _SHORT_STATE or row.state == row.condition


def _widths(cells: Sequence[Sequence[str]], heading: Sequence[str]) -> list[int]:
    return [
        max(columns(row[column]) for row in (heading, *cells)) for column in range(len(heading))
    ]


def _excess(cells: Sequence[Sequence[str]], heading: Sequence[str], width: int) -> int:
    """Columns that a table is too wide by."""
    return sum(_widths(cells, heading)) + _GAP * (len(heading) - 1) - width


def _fit(cells: list[list[str]], heading: Sequence[str], width: int) -> None:
    """Shorten names until the table fits, if it can."""
    for column in _SHORTENED:
        excess = _excess(cells, heading, width)
        if excess > 0:
            room = max(_widths(cells, heading)[column] - excess, _NARROWEST)
            for row in cells:
                row[column] = _shortened(row[column], room)


def _shortened(text: str, room: int) -> str:
    """The text, with its middle left out: names differ at both ends."""
    if len(text) <= room:
        return text
    end = (room - 1) // 2
    return f"{text[: room - 1 - end]}…{text[len(text) - end :]}"
