"""Permissions shown by what a program attaches to: traced functions, applications, iterators."""

from collections.abc import Iterator

from skep.bytecode.analysis.findings import CodeFinding, finding
from skep.bytecode.analysis.kernel_targets import (
    TargetAnswer,
    hooks_applications,
    keyword_of,
    sees_system_calls,
    target_of,
)
from skep.bytecode.analysis.programs import AnalysedProgram
from skep.hooks.iterators import ITERATORS

_CHOSEN_LATER = "target chosen when attached"


def target_findings(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """What the target shows; without one, what it could be is possible."""
    target = target_of(program)
    applications, calls = hooks_applications(program), sees_system_calls(program)
    if applications is not TargetAnswer.NO:
        kind = keyword_of(program) or "probe"
        what = f"{kind} on {target or 'an application chosen when it is attached'}"
        yield _answered(program, "trace.application", what, applications)
    if calls is not TargetAnswer.NO:
        section = program.spec.section.removeprefix("?")
        what = f"section {section}" if calls is TargetAnswer.YES else _CHOSEN_LATER
        yield _answered(program, "trace.syscalls", what, calls)
    if program.spec.attach_type == "TRACE_ITER":
        yield from _of_iterator(program, target)


def _of_iterator(program: AnalysedProgram, target: str) -> Iterator[CodeFinding]:
    facts = ITERATORS.get(target)
    if facts is not None:
        for permission in facts.permissions:
            what = f"iterator {target}: {facts.lists}"
            yield finding(program, permission, "D", what, scope=facts.scope)
    elif target:
        yield finding(program, "unknown", "D", f"iterator {target}")
    else:
        every = {name: None for each in ITERATORS.values() for name in each.permissions}
        for permission in every:
            what = f"iterator, {_CHOSEN_LATER}"
            yield _answered(program, permission, what, TargetAnswer.MAYBE)


def _answered(
    program: AnalysedProgram, permission: str, what: str, answer: TargetAnswer
) -> CodeFinding:
    confidence = "declared" if answer is TargetAnswer.YES else "possible"
    return finding(program, permission, "D", what, confidence=confidence)


def is_beside_kernel(program: AnalysedProgram, permission: str) -> bool:
    """Whether ``permission`` is about events of the kernel, and the program sees none.

    Probes of applications and iterators have types that trace the kernel, and do not.
    """
    if permission != "trace.kernel":
        return False
    is_iterator = program.spec.attach_type == "TRACE_ITER"
    return is_iterator or hooks_applications(program) is TargetAnswer.YES
