"""Kinds of CO-RE records.

Source: ``enum bpf_core_relo_kind`` in include/uapi/linux/bpf.h of Linux 6.18.
"""

from enum import IntEnum


class CoreKind(IntEnum):
    """What a record asks for (``BPF_CORE_*``)."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12


FIELD_KINDS = frozenset(range(CoreKind.FIELD_BYTE_OFFSET, CoreKind.FIELD_RSHIFT_U64 + 1))
"""Questions about a field."""

ENUMERATOR_KINDS = frozenset({CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE})
"""Questions about an enumerator."""

DESCRIPTIONS = (
    "offset of a field",
    "size of a field",
    "existence of a field",
    "sign of a field",
    "position of a bitfield",
    "position of a bitfield",
    "local id of a type",
    "kernel's id of a type",
    "existence of a type",
    "size of a type",
    "existence of an enumerator",
    "value of an enumerator",
    "match of a type",
)
"""What is asked for, in words, by number of the kind."""
