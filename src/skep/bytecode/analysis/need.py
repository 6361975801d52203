"""A need: a thing that exists since some kernel, perhaps only until another, perhaps on none."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from skep.bytecode.analysis.programs import AnalysedProgram
from skep.versions import KernelVersion

FIRST = (3, 18)
"""The oldest kernel anything is known of."""

Kernel = tuple[int, int]
Places = frozenset[tuple[str, int]]
"""Calls, as (function, slot)."""

_LAST_MINOR = {3: 19, 4: 20, 5: 19, 6: 19}
"""The last release before a new first number."""


@dataclass(frozen=True, slots=True)
class KernelNeed:
    """A thing that exists since ``kernel``; ``optional`` says why it does not count.

    Attributes:
        gone: from which release on it exists no longer.
        refused: why no kernel loads it; empty if some do.
        hint: what to do about that.
        is_call: it goes with the call at its place.
        from_types: a kernel's types tell whether it is there.
    """

    kernel: Kernel
    what: str
    program: str = ""
    function: str = ""
    slot: int | None = None
    optional: str = ""
    is_call: bool = False
    gone: Kernel | None = None
    refused: str = ""
    hint: str = ""
    from_types: bool = False


def call_places(program: AnalysedProgram) -> Places:
    """Where the program calls helpers and kernel functions."""
    return frozenset((call.function, call.slot) for call in program.calls)


def without_calls(needs: Iterable[KernelNeed], kept: Places | None, why: str) -> list[KernelNeed]:
    """``needs`` with those of helper calls outside ``kept`` made optional."""
    if kept is None:
        return list(needs)
    return [
        replace(need, optional=why)
        if need.is_call and not need.optional and (need.function, need.slot) not in kept
        else need
        for need in needs
    ]


def oldest_of(needs: Iterable[KernelNeed], *, also: frozenset[str] = frozenset()) -> Kernel:
    """Oldest kernel that has everything that counts.

    Args:
        also: values of ``optional`` that count all the same.
    """
    return max((n.kernel for n in needs if not n.optional or n.optional in also), default=FIRST)


def newest_of(needs: Iterable[KernelNeed]) -> Kernel | None:
    """Newest kernel that still has everything that counts; ``None`` if nothing went."""
    gone = [n.gone for n in needs if n.gone is not None and not n.optional]
    return release_before(min(gone)) if gone else None


def release_before(kernel: Kernel) -> Kernel:
    """The release before ``kernel``.

    >>> release_before((6, 0)), release_before((6, 17))
    ((5, 19), (6, 16))
    """
    major, minor = kernel
    return (major, minor - 1) if minor else (major - 1, _LAST_MINOR.get(major - 1, 0))


def pair_of(version: KernelVersion) -> Kernel:
    """A version as the tables of instructions and helpers write it."""
    return version.major, version.minor


def kernel_text(kernel: Kernel) -> str:
    """As people write it: ``5.10``."""
    return f"{kernel[0]}.{kernel[1]}"
