"""The licence string the kernel looks at.

The kernel compares literally: ``license_is_gpl_compatible`` in ``include/linux/license.h``. This
is not the licence of the package, which is an SPDX expression; the two are kept apart.
"""

from collections.abc import Sequence

from skep.bytecode.analysis.programs import AnalysedProgram, helper_name
from skep.bytecode.analysis.report import HelperUse, LicenceFacts
from skep.bytecode.isa.first_kernels import GPL_PROGRAM_TYPES
from skep.bytecode.isa.helpers import HELPERS

GPL_COMPATIBLE = frozenset(
    {
        "GPL",
        "GPL v2",
        "GPL and additional rights",
        "Dual BSD/GPL",
        "Dual MIT/GPL",
        "Dual MPL/GPL",
    }
)
"""The strings a kernel takes as compatible; everything else it takes as proprietary."""


def licence_facts(kernel_licence: str | None, programs: Sequence[AnalysedProgram]) -> LicenceFacts:
    """What the licence string of an object means for its programs."""
    calls: dict[int, int] = {}
    reasons: dict[str, None] = {}
    for program in programs:
        program_type = program.spec.program_type
        if program_type in GPL_PROGRAM_TYPES:
            reasons[f"program type {program_type}"] = None
        for call in program.calls:
            if call.helper is not None:
                facts = HELPERS.get(call.helper)
                if facts is not None and facts.gpl_only and program_type not in facts.free_in:
                    calls[call.helper] = calls.get(call.helper, 0) + 1
            elif call.kernel_function is not None:
                reasons["kernel functions"] = None
    needs_gpl = bool(calls or reasons)
    compatible = None if kernel_licence is None else kernel_licence in GPL_COMPATIBLE
    return LicenceFacts(
        kernel_licence=kernel_licence,
        state={None: "undeclared", True: "compatible", False: "not compatible"}[compatible],
        gpl_compatible=compatible,
        needs_gpl=needs_gpl,
        gpl_only_helpers=tuple(
            HelperUse(id=number, name=helper_name(number), calls=count)
            for number, count in sorted(calls.items())
        ),
        gpl_only_reasons=tuple(reasons),
        would_load=compatible if needs_gpl else True,
        remarks=tuple(_remarks(kernel_licence)),
    )


def _remarks(kernel_licence: str | None) -> list[str]:
    if kernel_licence is None:
        return ["the object has no licence string; whoever loads it has to choose one"]
    if kernel_licence in GPL_COMPATIBLE:
        return []
    plain = kernel_licence.strip().casefold()
    close = [name for name in sorted(GPL_COMPATIBLE) if name.casefold() == plain]
    if close:
        return [f"kernels take {kernel_licence!r} as proprietary; {close[0]!r} was meant"]
    if "gpl" in plain:
        return [f"kernels take {kernel_licence!r} as proprietary; they know {_LISTED} only"]
    return []


_LISTED = ", ".join(sorted(GPL_COMPATIBLE))
