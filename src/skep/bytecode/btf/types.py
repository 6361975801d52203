"""One BTF type as a value.

Source: Documentation/bpf/btf.rst of Linux 6.18.
"""

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """``BTF_KIND_*``; 0 is ``void``, which is not stored."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


MODIFIERS = frozenset({Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG})
"""Kinds that stand for the type they refer to."""


@dataclass(frozen=True, slots=True)
class StructMember:
    """A member of a struct or union.

    Attributes:
        name: empty for an anonymous struct or union.
        type_id: its type.
        bit_offset: from the start of the struct.
        bitfield_bits: width of a bitfield, 0 for an ordinary member.
    """

    name: str
    type_id: int
    bit_offset: int
    bitfield_bits: int = 0


@dataclass(frozen=True, slots=True)
class Enumerator:
    """A name and a value; the sign is the enum's."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; the last of a variadic function has no name and type 0."""

    name: str
    type_id: int


@dataclass(frozen=True, slots=True)
class SectionVariable:
    """A variable or extern function in a DATASEC.

    Attributes:
        type_id: of kind VAR or FUNC.
        offset: bytes in the section; 0 in objects of some compilers: trust the symbol table.
        size: bytes.
    """

    type_id: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class BtfType:
    """A type; which attributes mean something depends on ``kind``.

    Attributes:
        type_id: its number.
        kind: which sort of type.
        name: empty if anonymous.
        size: bytes, of INT, STRUCT, UNION, ENUM, ENUM64, FLOAT and DATASEC.
        refers_to: type id: what PTR and the modifiers stand for, the type of VAR, the prototype
            of FUNC, the result of FUNC_PROTO, the element of ARRAY; 0 is ``void``.
        is_flagged: bit 31: signed for enums, union for FWD, bitfields in STRUCT and UNION.
        linkage: of FUNC and VAR: 0 static, 1 global, 2 extern.
        elements: number of an ARRAY.
        encoding: of INT: 1 signed, 2 character, 4 boolean.
        bits: of INT: width.
        bit_offset: of INT: offset of the value in its storage.
        component: of DECL_TAG: member or parameter, -1 for the type itself.
        members: of STRUCT and UNION.
        enumerators: of ENUM and ENUM64.
        parameters: of FUNC_PROTO.
        variables: of DATASEC.
    """

    type_id: int
    kind: Kind
    name: str = ""
    size: int = 0
    refers_to: int = 0
    is_flagged: bool = False
    linkage: int = 0
    elements: int = 0
    encoding: int = 0
    bits: int = 0
    bit_offset: int = 0
    component: int = -1
    members: tuple[StructMember, ...] = ()
    enumerators: tuple[Enumerator, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    variables: tuple[SectionVariable, ...] = ()


VOID = BtfType(0, Kind.VOID)
