"""What the name of an ELF section says about the programs in it.

The order of decision is: drop one leading ``?``; the first strict row; the longest strict row
before a slash, whatever name follows it (``cgroup/connect4/web``); the longest
conventional prefix; otherwise the type is unknown and must be stated. A hint fills a
suggestion for people and nothing more: the same names are traffic control in one object and XDP in
the next.
"""

import re
from dataclasses import dataclass
from typing import Literal

from skep.bytecode.objectfile.section_table import CONVENTIONS, HINTS, STRICT, StrictRow

_EXACT = {row.pattern: row for row in reversed(STRICT)}
_WITH_TARGET = {row.pattern: row for row in reversed(STRICT) if row.takes_target}
_ORDER = {id(row): index for index, row in enumerate(STRICT)}
_BY_LENGTH = sorted(CONVENTIONS, key=lambda convention: -len(convention[0]))
_HINTS = tuple((re.compile(pattern), program_type) for pattern, program_type in HINTS)
_BEHIND_PREFIX = frozenset("/_-.0123456789")


@dataclass(frozen=True, slots=True)
class BtfTarget:
    """Where the target of a program is looked up before it can be loaded.

    Attributes:
        place: BTF of the running kernel, or of the program that is replaced.
        kind: BTF kind of the target.
        prefix: what stands before the target's name there.
    """

    place: Literal["kernel", "program"]
    kind: Literal["FUNC", "TYPEDEF"]
    prefix: str


@dataclass(frozen=True, slots=True)
class SectionFacts:
    """What a section name says.

    Attributes:
        section: the name as written.
        source: how the type was found.
        program_type: kernel name without prefix, ``None`` if the name does not tell.
        attach_type: kernel name without prefix, ``None`` if it has none or the name does not tell.
        target: what follows the slash; empty if nothing.
        is_optional: leading ``?``, not loaded by default.
        is_sleepable: suffix ``.s``.
        has_frags: ``xdp.frags``.
        is_usdt: user-space static tracepoint.
        attach_type_is_optional: kernels that do not know the attach type accept 0 instead.
        btf_target: set if loading needs the BTF id of the target.
        suggestion: a guess for people, only where ``program_type`` is ``None``.
    """

    section: str
    source: Literal["strict", "convention", "unknown"]
    program_type: str | None = None
    attach_type: str | None = None
    target: str = ""
    is_optional: bool = False
    is_sleepable: bool = False
    has_frags: bool = False
    is_usdt: bool = False
    attach_type_is_optional: bool = False
    btf_target: BtfTarget | None = None
    suggestion: str | None = None


def classify(section: str) -> SectionFacts:
    """Derive from ``section`` the type and target of the programs in it.

    >>> classify("xdp").program_type, classify("xdp").attach_type
    ('XDP', 'XDP')
    >>> classify("kprobe/do_unlinkat").target
    'do_unlinkat'
    >>> classify("2/7").program_type, classify("2/7").suggestion
    (None, 'SCHED_CLS')
    """
    is_optional = section.startswith("?")
    name = section[1:] if is_optional else section
    row = _strict(name)
    if row is not None:
        return _facts(section, row, name, "strict")
    row = _named(name)
    if row is not None:
        return _facts(section, row, name, "convention")
    row = _strict(f"cgroup/{name}")  # "connect4": loaders of one's own leave the folder out
    if row is not None and row.program_type == "CGROUP_SOCK_ADDR":
        return _facts(section, row, f"cgroup/{name}", "convention")
    for prefix, program_type in _BY_LENGTH:
        behind = name[len(prefix) : len(prefix) + 1]
        if name.startswith(prefix) and (not behind or behind in _BEHIND_PREFIX):
            row = _EXACT.get(prefix)
            return SectionFacts(
                section=section,
                source="convention",
                program_type=program_type,
                attach_type=None if row is None else row.attach_type,
                target=name[len(prefix) + 1 :] if behind == "/" else "",
                is_optional=is_optional,
                attach_type_is_optional=row is not None and row.attach_type_is_optional,
            )
    suggestion = next((kind for pattern, kind in _HINTS if pattern.search(name)), None)
    return SectionFacts(section, "unknown", is_optional=is_optional, suggestion=suggestion)


def _facts(
    section: str, row: StrictRow, name: str, source: Literal["strict", "convention"]
) -> SectionFacts:
    return SectionFacts(
        section=section,
        source=source,
        program_type=row.program_type,
        attach_type=row.attach_type,
        target=name[len(row.pattern) + 1 :],
        is_optional=section.startswith("?"),
        is_sleepable=row.is_sleepable,
        has_frags=row.has_frags,
        is_usdt=row.is_usdt,
        attach_type_is_optional=row.attach_type_is_optional,
        btf_target=_btf_target(row.btf_target),
    )


def attach_types_of(program_type: str) -> frozenset[str]:
    """Attach types that programs of a type can have, as far as a section can say them.

    >>> sorted(attach_types_of("XDP"))
    ['XDP', 'XDP_CPUMAP', 'XDP_DEVMAP']
    """
    return frozenset(
        row.attach_type
        for row in STRICT
        if row.program_type == program_type and row.attach_type is not None
    )


def usual_attach_type(program_type: str) -> str | None:
    """Attach type of a program whose type was stated, not derived.

    It is the one of the section that is named like the type's convention: XDP for ``xdp``, none
    for ``tc``.
    """
    for prefix, candidate in CONVENTIONS:
        if candidate == program_type:
            row = _EXACT.get(prefix)
            return None if row is None else row.attach_type
    return None


def _strict(name: str) -> StrictRow | None:
    found = [row for row in [_EXACT.get(name)] if row is not None]
    # A pattern may itself hold slashes (``xdp/devmap``), so every slash is a possible end of it.
    slash = name.find("/")
    while slash != -1:
        row = _WITH_TARGET.get(name[:slash])
        if row is not None:
            found.append(row)
        slash = name.find("/", slash + 1) if slash < _LONGEST else -1
    return min(found, key=lambda row: _ORDER[id(row)], default=None)


def _named(name: str) -> StrictRow | None:
    """The longest strict row that ends at a slash of ``name``; what follows is a name."""
    slash = name.rfind("/", 0, _LONGEST + 1)
    while slash != -1:
        row = _EXACT.get(name[:slash])
        if row is not None:
            return row
        slash = name.rfind("/", 0, slash)
    return None


_LONGEST = max(len(row.pattern) for row in STRICT)


def _btf_target(text: str | None) -> BtfTarget | None:
    if text is None:
        return None
    place, kind, prefix = text.split(":")
    return BtfTarget(
        "kernel" if place == "kernel" else "program",
        "FUNC" if kind == "FUNC" else "TYPEDEF",
        prefix,
    )
