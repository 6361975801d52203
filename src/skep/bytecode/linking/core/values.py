"""The value a CO-RE record asks for, in the object's own types and in a kernel's.

Source: ``bpf_core_calc_relo_insn`` and what it calls in tools/lib/bpf/relo_core.c of Linux 6.18.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.layout import resolved, size_of
from skep.bytecode.btf.names import essential_name
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import BtfType, Kind
from skep.bytecode.linking.core.access import COMPOSITES, ENUMS, Access, Step, parse_access
from skep.bytecode.linking.core.kinds import (
    DESCRIPTIONS,
    ENUMERATOR_KINDS,
    FIELD_KINDS,
    CoreKind,
)
from skep.bytecode.linking.core.matching import Matcher
from skep.bytecode.linking.errors import CannotLink, CorruptRelocation
from skep.bytecode.objectfile.model import CoreRelocation

_EXISTENCE = frozenset(
    {CoreKind.FIELD_EXISTS, CoreKind.TYPE_EXISTS, CoreKind.ENUMVAL_EXISTS, CoreKind.TYPE_MATCHES}
)
_WIDEST_LOAD = 8
_SIGNED = 1  # BTF_INT_SIGNED


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes and type of a field, for loads and stores of it."""

    in_bytes: int
    type: BtfType


@dataclass(frozen=True, slots=True)
class CoreAnswer:
    """What a record asks for, on one side.

    Attributes:
        value: offset, size, 0 or 1, id, or the value of an enumerator (which may be negative).
        is_certain: the compiler must have put this very value in, if it is the local side.
        size: of the field, if it is an offset of a whole field.
    """

    value: int
    is_certain: bool = True
    size: Size | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """A record and its two answers.

    Attributes:
        record: what was asked.
        local: the answer in the object's types, which the compiler put in.
        target: the answer in the kernel's types, ``None`` if there is none: the instruction must
            not be reached.
        path: what was asked for, for people: ``task_struct.tgid``.
    """

    record: CoreRelocation
    local: CoreAnswer
    target: CoreAnswer | None
    path: str


def resolve_record(
    record: CoreRelocation,
    types: TypeTable,
    kernel: KernelTypes,
    byteorder: Literal["little", "big"],
) -> Resolution:
    """Answer ``record``.

    Args:
        types: of the object.
        kernel: of the kernel the program is for.
        byteorder: of the object.

    Raises:
        CorruptRelocation: the record does not fit the object's own types.
        CannotLink: the record is ambiguous, is about a type without name, or about a bitfield
            wider than a load.
    """
    kind = CoreKind(record.kind)
    if kind is CoreKind.TYPE_ID_LOCAL:
        return resolve_local(record, types)
    access = parse_access(types, record)
    path = describe(types, access)
    root = types.type(record.type_id)
    if not root.name:
        raise CannotLink(
            f"function {record.function}: {DESCRIPTIONS[kind]} of a type without name was asked "
            f"for at instruction {record.slot}, which has no counterpart in a kernel"
        )
    local = answer_in(kind, access, types, byteorder)
    if local is None:
        raise CorruptRelocation(
            f"function {record.function}: {DESCRIPTIONS[kind]} ({path}) cannot be asked for "
            f"at instruction {record.slot}"
        )
    matcher = Matcher(types, kernel.table)
    found: list[tuple[Access, CoreAnswer]] = []
    for candidate in kernel.candidates(root.name, root.kind):
        target = _match(kind, matcher, access, candidate)
        if target is None:
            continue
        answered = answer_in(kind, target, kernel.table, byteorder)
        if answered is None:
            raise CannotLink(
                f"function {record.function}: {DESCRIPTIONS[kind]} ({path}) cannot be told in "
                "the types of this kernel"
            )
        found.append((target, answered))
    return Resolution(record, local, _only(record, found, path), path)


def resolve_local(record: CoreRelocation, types: TypeTable) -> Resolution:
    """Answer a record that asks for the id of a type of the object itself.

    Raises:
        CorruptRelocation: the record does not fit the object's types.
    """
    answer = CoreAnswer(record.type_id, is_certain=False)
    return Resolution(record, answer, answer, describe(types, parse_access(types, record)))


def _only(
    record: CoreRelocation, found: Sequence[tuple[Access, CoreAnswer]], path: str
) -> CoreAnswer | None:
    """The one answer of all candidates; for questions that have one, that of none."""
    if not found:
        # Sizes and ids of missing types are 0; offsets and values of missing fields are nothing.
        is_about_type = record.kind not in FIELD_KINDS and record.kind not in ENUMERATOR_KINDS
        return CoreAnswer(0) if record.kind in _EXISTENCE or is_about_type else None
    access, answer = found[0]
    for other_access, other in found[1:]:
        if other.value != answer.value or other_access.bit_offset != access.bit_offset:
            raise CannotLink(
                f"function {record.function}: {DESCRIPTIONS[record.kind]} ({path}) has two "
                f"answers: {answer.value} by type {access.root_id} of the kernel and "
                f"{other.value} by type {other_access.root_id}"
            )
    return answer


def _match(kind: CoreKind, matcher: Matcher, access: Access, candidate: int) -> Access | None:
    if kind in FIELD_KINDS:
        return matcher.field(access, candidate)
    if kind in ENUMERATOR_KINDS:
        return matcher.enumerator(access, candidate)
    if kind is CoreKind.TYPE_MATCHES:
        fits = matcher.types_match(access.root_id, candidate)
    else:
        fits = matcher.types_compatible(access.root_id, candidate)
    return Access(candidate) if fits else None


def answer_in(
    kind: CoreKind, access: Access, types: TypeTable, byteorder: Literal["little", "big"]
) -> CoreAnswer | None:
    """The answer for what ``access`` leads to, ``None`` if the question makes no sense there.

    Raises:
        MalformedBtf: for a type that has no size.
    """
    match kind:
        case (
            CoreKind.FIELD_EXISTS
            | CoreKind.TYPE_EXISTS
            | CoreKind.ENUMVAL_EXISTS
            | CoreKind.TYPE_MATCHES
        ):
            return CoreAnswer(1)
        case CoreKind.TYPE_ID_TARGET | CoreKind.TYPE_ID_LOCAL:
            return CoreAnswer(access.root_id, is_certain=False)
        case CoreKind.TYPE_SIZE:
            return CoreAnswer(size_of(types, access.root_id))
        case CoreKind.ENUMVAL_VALUE:
            step = access.steps[0]
            return CoreAnswer(types.type(step.type_id).enumerators[step.index].value)
        case _:
            last = access.steps[-1]
            if last.name is None:
                return _element(kind, last, access, types)
            return _field(kind, access, types, byteorder)


def _element(kind: CoreKind, last: Step, access: Access, types: TypeTable) -> CoreAnswer | None:
    size = size_of(types, last.type_id)
    if kind is CoreKind.FIELD_BYTE_OFFSET:
        return CoreAnswer(access.bit_offset // 8, size=Size(size, types.type(last.type_id)))
    if kind is CoreKind.FIELD_BYTE_SIZE:
        return CoreAnswer(size)
    return None


def _field(
    kind: CoreKind, access: Access, types: TypeTable, byteorder: Literal["little", "big"]
) -> CoreAnswer | None:
    last = access.steps[-1]
    struct = types.type(last.type_id)
    if struct.kind not in COMPOSITES:
        return None
    member = struct.members[last.index]
    found = resolved(types, member.type_id)
    if kind is CoreKind.FIELD_SIGNED:
        is_signed = (found.kind in ENUMS and found.is_flagged) or (
            found.kind is Kind.INT and bool(found.encoding & _SIGNED)
        )
        return CoreAnswer(int(is_signed))
    bits = member.bitfield_bits
    if bits:
        unit = unit_of(found.size, access.bit_offset, bits)
        if unit is None:
            return None
        size, offset = unit
    else:
        size = size_of(types, member.type_id)
        bits, offset = size * 8, access.bit_offset // 8
    is_whole = not member.bitfield_bits
    match kind:
        case CoreKind.FIELD_BYTE_OFFSET:
            return CoreAnswer(offset, is_whole, Size(size, found) if is_whole else None)
        case CoreKind.FIELD_BYTE_SIZE:
            return CoreAnswer(size, is_whole)
        case CoreKind.FIELD_LSHIFT_U64:
            inside = access.bit_offset - offset * 8
            little = 64 - (inside + bits)
            return CoreAnswer(
                little if byteorder == "little" else (8 - size) * 8 + inside, is_whole
            )
        case CoreKind.FIELD_RSHIFT_U64:
            return CoreAnswer(64 - bits)
        case _:
            return None


def unit_of(size: int, bit_offset: int, bits: int) -> tuple[int, int] | None:
    """Bytes and offset of the smallest aligned integer that a bitfield lies in."""
    if size not in (1, 2, 4, 8):
        return None
    while True:
        offset = bit_offset // 8 // size * size
        if bit_offset + bits <= (offset + size) * 8:
            return size, offset
        if size >= _WIDEST_LOAD:
            return None
        size *= 2


def describe(types: TypeTable, access: Access) -> str:
    """What an access leads to, for people and without flavours: ``task_struct.comm[3]``."""
    root = types.type(access.root_id)
    text = essential_name(root.name) or f"type {access.root_id}"
    for number, step in enumerate(access.steps):
        if step.name is not None:
            is_enumerator = types.kind(step.type_id) in ENUMS
            text += f".{essential_name(step.name) if is_enumerator else step.name}"
        elif number or step.index:
            text += f"[{step.index}]"
    return text
