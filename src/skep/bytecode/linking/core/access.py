"""Access strings: the way from a root type to a field or enumerator.

``0:1:2`` is element 0 of the root taken as an array, its member 1, and element or member 2 of
that. An access keeps named members and array elements only: anonymous structs on the way are not
steps, because another kernel may nest them otherwise.

Source: ``bpf_core_parse_spec`` in tools/lib/bpf/relo_core.c of Linux 6.18, and the comment above.
"""

import re
from dataclasses import dataclass

from skep.bytecode.btf.layout import resolved, size_of
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import BtfType, Kind
from skep.bytecode.linking.core.kinds import ENUMERATOR_KINDS, FIELD_KINDS
from skep.bytecode.linking.errors import CorruptRelocation
from skep.bytecode.objectfile.model import CoreRelocation

MOST_STEPS = 64
"""``BPF_CORE_SPEC_MAX_LEN``."""

COMPOSITES = frozenset({Kind.STRUCT, Kind.UNION})
ENUMS = frozenset({Kind.ENUM, Kind.ENUM64})
_TEXT = re.compile(r"[0-9]{1,9}(?::[0-9]{1,9})*")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an access.

    Attributes:
        type_id: of the struct, union or enum that ``index`` is in; of the element for an array.
        index: of the member, enumerator or element.
        name: of the member or enumerator, ``None`` for an element of an array.
    """

    type_id: int
    index: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """A way from a root type.

    Attributes:
        root_id: the root, typedefs and qualifiers included.
        steps: empty for questions about types.
        bit_offset: of the last step, from the start of the root.
    """

    root_id: int
    steps: tuple[Step, ...] = ()
    bit_offset: int = 0


def parse_access(types: TypeTable, record: CoreRelocation) -> Access:
    """The access that ``record`` describes, in the object's own types.

    Raises:
        CorruptRelocation: for a text that is no access of the type.
    """
    if record.kind not in FIELD_KINDS and record.kind not in ENUMERATOR_KINDS:
        if record.access != "0":
            raise _corrupt(record, "expected access 0 of a type")
        return Access(record.type_id)
    if not _TEXT.fullmatch(record.access) or record.access.count(":") >= MOST_STEPS:
        raise _corrupt(record, f"expected at most {MOST_STEPS} numbers")
    first, *rest = (int(part) for part in record.access.split(":"))
    root = resolved(types, record.type_id)
    if record.kind in ENUMERATOR_KINDS:
        if root.kind not in ENUMS or rest or first >= len(root.enumerators):
            raise _corrupt(record, "expected one of the enumerators")
        return Access(record.type_id, (Step(root.type_id, first, root.enumerators[first].name),))
    return _parse_field(types, record, first, rest)


def _parse_field(types: TypeTable, record: CoreRelocation, first: int, rest: list[int]) -> Access:
    current = resolved(types, record.type_id)
    steps = [Step(current.type_id, first)]
    bit_offset = first * size_of(types, record.type_id) * 8
    # The element behind a member that is a flexible array may be beyond its declared length; the
    # step before it must then be that member.
    before: Step | None = steps[0]
    for index in rest:
        if current.kind in COMPOSITES:
            if index >= len(current.members):
                raise _corrupt(record, f"expected a member of {current.name!r}")
            member = current.members[index]
            bit_offset += member.bit_offset
            before = Step(current.type_id, index, member.name) if member.name else None
            if before is not None:
                steps.append(before)
            current = resolved(types, member.type_id)
        elif current.kind is Kind.ARRAY:
            if index >= current.elements and not is_flexible(types, before, current):
                raise _corrupt(record, f"expected an index below {current.elements}")
            current = resolved(types, current.refers_to)
            before = Step(current.type_id, index)
            steps.append(before)
            bit_offset += index * size_of(types, current.type_id) * 8
        else:
            raise _corrupt(record, f"expected a struct or array, got {current.kind.name}")
    return Access(record.type_id, tuple(steps), bit_offset)


def is_flexible(types: TypeTable, before: Step | None, array: BtfType) -> bool:
    """Whether ``array`` is the last member, without length, of the struct it was reached through.

    Args:
        before: the step to the array, ``None`` if it is in an anonymous struct.
    """
    if before is None or before.name is None or array.elements:
        return False
    return before.index == len(types.type(before.type_id).members) - 1


def _corrupt(record: CoreRelocation, expected: str) -> CorruptRelocation:
    return CorruptRelocation(
        f"function {record.function}: {expected} at instruction {record.slot}, got access "
        f"{record.access[:80]!r} of type {record.root!r}"
    )
