"""How many entries maps have: what a package says, and what an operator chose.

An object may leave the number open (``max_entries`` 0), or state another than a node needs. The
package's word (``[maps.NAME]``) goes before the object's, a setting's (``max_entries_of``) before
both. Which sizes fit which map, :func:`skep.bytecode.linking.maps.check_size` says.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from skep.packages.fields import Fields
from skep.packages.names import is_identifier
from skep.packages.settings import SettingValue

MOST_ENTRIES = 2**32 - 1


@dataclass(frozen=True, slots=True)
class MapMetadata:
    """``[maps.NAME]``: what the package says about a map of its objects.

    Attributes:
        name: of the map.
        max_entries: entries, bytes for ring buffers; ``None`` if it does not say.
    """

    name: str
    max_entries: int | None = None


def read_map(name: str, fields: Fields) -> MapMetadata:
    """Read ``[maps.NAME]``; problems are noted in ``fields``."""
    if not is_identifier(name):
        fields.problem("", "expected the name of a map, of letters, digits and underscores")
    entries = fields.integer(
        "max_entries", f"a whole number from 1 to {MOST_ENTRIES}", 1, MOST_ENTRIES, required=False
    )
    return MapMetadata(name, entries)


def chosen_sizes(
    maps: Iterable[MapMetadata], values: Iterable[SettingValue], known: Collection[str]
) -> dict[str, int]:
    """Number of entries by map, as far as package or operator say.

    Args:
        known: maps of the object that is linked; others are another object's.
    """
    sizes = {each.name: each.max_entries for each in maps if each.max_entries is not None}
    for value in values:
        name = value.spec.max_entries_of
        (member, *_) = value.members or (None,)
        if name is not None and isinstance(member, int):
            sizes[name] = member
    return {name: entries for name, entries in sizes.items() if name in known}
