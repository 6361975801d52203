"""Format strings and other text in read-only data, as far as no loader changes it.

Other constants than those of :mod:`skep.bytecode.linking.constants` count as compiled, and the
linker refuses to change them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from skep.bytecode.analysis.formats import FOLLOWS
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.constants import is_changeable
from skep.bytecode.objectfile.data_sections import is_read_only
from skep.bytecode.objectfile.model import ObjectFile
from skep.errors import SkepError

_MODIFIERS = frozenset({Kind.CONST, Kind.TYPEDEF, Kind.RESTRICT, Kind.TYPE_TAG, Kind.ARRAY})


@dataclass(frozen=True, slots=True)
class Texts:
    """Read-only data by section, and which bytes of it a loader may change.

    Attributes:
        data: content.
        changeable: ranges of bytes, first and behind the last.
    """

    data: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    changeable: Mapping[str, tuple[tuple[int, int], ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def text_at(self, section: str, offset: int, most: int) -> bytes | None:
        """The text at a place, without its final zero; ``None`` if it is not known.

        Nor is one that does not end within ``most`` bytes: what is not read is not judged.
        """
        data = self.data.get(section)
        if data is None or not 0 <= offset < len(data):
            return None
        text, zero, _ = data[offset : offset + most].partition(b"\0")
        if not zero and offset + most < len(data):
            return None
        end = offset + len(text) + len(zero)
        if any(start < end and offset < stop for start, stop in self.changeable.get(section, ())):
            return None
        return text

    def may_follow(self, section: str) -> bool:
        """Whether some text of a section, read as a format, follows an address.

        For a format at an unknown place: two calls that the compiler made one have two formats.
        """
        data = self.data.get(section)
        return data is None or bool(self.changeable.get(section)) or bool(FOLLOWS.search(data))


def texts_of(object_file: ObjectFile) -> Texts:
    """Texts of an object as compiled."""
    data = {
        spec.name: spec.data
        for spec in object_file.maps
        if spec.origin == "data" and spec.data and is_read_only(spec.name)
    }
    changeable: dict[str, list[tuple[int, int]]] = {name: [] for name in data}
    for variable in object_file.variables:
        if variable.section in data and is_changeable(object_file.types, variable):
            changeable[variable.section].append((variable.offset, variable.offset + variable.size))
    return Texts(data, {name: tuple(ranges) for name, ranges in changeable.items()})


def maps_with_pointers(object_file: ObjectFile) -> frozenset[str]:
    """Maps whose values may hold pointers to kernel structures or to allocated objects."""
    types = object_file.types
    if types is None:
        return frozenset()
    found = set()
    for spec in object_file.maps:
        values = (spec.value_type_id, spec.inner.value_type_id if spec.inner else 0)
        holds = any(each and _holds_pointers(types, each) for each in values)
        if holds or (spec.origin == "data" and _section_holds_pointers(types, spec.name)):
            found.add(spec.name)
    return frozenset(found)


def _section_holds_pointers(types: TypeTable, name: str) -> bool:
    try:
        return any(
            _holds_pointers(types, types.type(variable.type_id).refers_to)
            for type_id in types.find(name, Kind.DATASEC)
            for variable in types.type(type_id).variables
        )
    except SkepError:
        return True


def _holds_pointers(types: TypeTable, type_id: int) -> bool:
    """Whether a tagged pointer (``__kptr`` and its relatives) is anywhere in a type."""
    waiting, seen = [type_id], set()
    try:
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            found = types.type(current)
            if found.kind == Kind.PTR:
                if found.refers_to and types.kind(found.refers_to) == Kind.TYPE_TAG:
                    return True
            elif found.kind in {Kind.STRUCT, Kind.UNION}:
                waiting += [member.type_id for member in found.members]
            elif found.kind in _MODIFIERS or found.kind == Kind.VOLATILE:
                waiting.append(found.refers_to)
    except SkepError:
        return True
    return False
