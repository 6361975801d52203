"""What a caller decides about linking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

_MOST_CPUS = 8192  # largest CONFIG_NR_CPUS of any architecture that Linux runs eBPF on

_NO_TYPES: Mapping[str, str] = MappingProxyType({})
_NO_SIZES: Mapping[str, int] = MappingProxyType({})
_NO_SYMBOLS: Mapping[str, int] = MappingProxyType({})
_NO_VALUES: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Choices that an object leaves open.

    Attributes:
        program_types: function name to program type (kernel name without prefix, ``XDP``); wins
            over the section name.
        attach_types: function name to attach type (kernel name without prefix), of the hook it is
            for; wins over the section name.
        programs: functions to link, ``None`` for all that are loaded by default.
        max_entries: map name to number of entries.
        variables: name of a global variable, or ``section:name`` where two have that name, to its
            bytes.
        licence: kernel licence string of an object that declares none.
        possible_cpus: of the node; size of perf event arrays that leave it open.
        byteorder: of the node.
        kernel_config: build configuration of the kernel as its file has it: ``CONFIG_HZ`` to
            ``250``; what it does not mention is off. ``None`` if it is not known.
        kernel_version: of the node, as LINUX_VERSION_CODE; 0 if it is not known.
        kernel_symbols: addresses of the kernel's symbols, for externs without type.
    """

    program_types: Mapping[str, str] = field(default_factory=lambda: _NO_TYPES)
    attach_types: Mapping[str, str] = field(default_factory=lambda: _NO_TYPES)
    programs: frozenset[str] | None = None
    max_entries: Mapping[str, int] = field(default_factory=lambda: _NO_SIZES)
    variables: Mapping[str, bytes] = field(default_factory=lambda: _NO_VALUES)
    licence: str | None = None
    possible_cpus: int = _MOST_CPUS
    byteorder: Literal["little", "big"] = "little"
    kernel_config: Mapping[str, str] | None = None
    kernel_version: int = 0
    kernel_symbols: Mapping[str, int] = field(default_factory=lambda: _NO_SYMBOLS)
