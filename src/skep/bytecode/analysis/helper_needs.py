"""Since which kernel a program of some type may call a helper.

A helper exists since some release; that a *type* may call it is decided by a list of the kernel's
for each type, which grows later, and sometimes shrinks. For some the attach type decides too, or
whether the program is sleepable.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from skep.bytecode.analysis.need import Kernel, KernelNeed
from skep.bytecode.analysis.programs import AnalysedProgram, Call, helper_name
from skep.bytecode.isa.first_kernels import PROGRAM_TYPES
from skep.bytecode.isa.helper_availability import (
    ATTACH_TYPES,
    COLUMNS,
    GONE,
    LETTERS,
    RELEASES,
    SINCE,
    SLEEPABLE,
)
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.objectfile.model import ProgramSpec

NEWEST_KNOWN = (7, 3)
"""The newest kernel the tables know of."""

_PLACES = {name: place for place, name in enumerate(COLUMNS)}
_VARIANTS = {
    "TRACE_FENTRY": "fentry",
    "TRACE_FEXIT": "fentry",
    "TRACE_FSESSION": "fentry",
    "TRACE_FENTRY_MULTI": "fentry",
    "TRACE_FEXIT_MULTI": "fentry",
    "TRACE_FSESSION_MULTI": "fentry",
    "TRACE_RAW_TP": "tp_btf",
    "MODIFY_RETURN": "fmod_ret",
    "TRACE_ITER": "iter",
}
_PROBED_STRUCT_OPS = "tcp_congestion_ops"


class Availability(NamedTuple):
    """Since when a program may call a helper, and from when on no longer.

    Attributes:
        since: ``None`` if no kernel that is known allows it.
        gone: ``None`` if the newest one still does.
        refused: why no kernel allows it.
    """

    since: Kernel | None
    gone: Kernel | None = None
    refused: str = ""


def column_of(spec: ProgramSpec, struct_ops: Sequence[str] = ()) -> str | None:
    """The column of the table that is about a program; ``None`` if none is.

    Args:
        struct_ops: types the object has instances of; each allows its programs other helpers, and
            only one of them is in the table.
    """
    name = spec.program_type or ""
    if name == "TRACING":
        variant = _VARIANTS.get(spec.attach_type or "")
        return None if variant is None else f"TRACING:{variant}"
    if name == "STRUCT_OPS" and tuple(struct_ops) != (_PROBED_STRUCT_OPS,):
        return None
    if spec.is_sleepable and f"{name}:sleepable" in _PLACES:
        return f"{name}:sleepable"
    return name if name in _PLACES else None


def availability(
    helper: int, spec: ProgramSpec, struct_ops: Sequence[str] = ()
) -> Availability | None:
    """Since when a program may call ``helper``; ``None`` if the tables do not say."""
    column = column_of(spec, struct_ops)
    row = SINCE.get(helper)
    if column is None or row is None:
        return None
    type_name = (spec.program_type or "").lower().replace("_", " ")
    letter = row[_PLACES[column]]
    if letter == "-":
        return Availability(None, refused=f"may not be called by {type_name} programs")
    if (helper, column) in SLEEPABLE and not spec.is_sleepable:
        return Availability(None, refused="may be called by sleepable programs only")
    since = RELEASES[LETTERS.index(letter)]
    allowed = ATTACH_TYPES.get((helper, spec.program_type or ""))
    if allowed is not None and spec.attach_type is not None:
        first = allowed.get(spec.attach_type)
        if first is None:
            return Availability(None, refused=f"may not be called at {spec.attach_type}")
        since = max(since, first)
    return Availability(since, GONE.get((helper, column)))


def helper_need(
    program: AnalysedProgram, call: Call, optional: str, struct_ops: Sequence[str]
) -> Iterator[KernelNeed]:
    """What the call of a helper needs."""
    helper = call.helper
    facts = None if helper is None else HELPERS.get(helper)
    if helper is None or facts is None:
        return
    spec = program.spec
    what = f"helper {helper_name(helper)}"
    found = availability(helper, spec, struct_ops)
    kernel, gone, refused = facts.first_kernel, None, ""
    if found is not None:
        gone, refused = found.gone, found.refused
        own = max(kernel, PROGRAM_TYPES.get(spec.program_type or "", kernel))
        later = found.since is not None and found.since > own
        if found.since is not None and later:
            kernel = found.since
        if later or gone is not None:
            what = f"{what} in {spec.program_type} programs"
    yield KernelNeed(
        kernel,
        what,
        spec.name,
        call.function,
        call.slot,
        optional,
        is_call=True,
        gone=gone,
        refused=f"{what} {refused}" if refused else "",
        from_types=kernel == facts.first_kernel and not refused and gone is None,
    )
