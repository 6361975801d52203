"""Permissions shown by what a program attaches to: traced functions, applications, iterators."""

from collections.abc import Iterator

from skep.bytecode.analysis.findings import Finding, finding
from skep.bytecode.analysis.kernel_targets import (
    Answer,
    hooks_applications,
    keyword_of,
    sees_system_calls,
    target_of,
)
from skep.bytecode.analysis.programs import Program
from skep.hooks.iterators import ITERATORS

_CHOSEN_LATER = "target chosen when attached"


def target_findings(program: Program) -> Iterator[Finding]:
    """What the target shows; without one, what it could be is possible."""
    target = target_of(program)
    applications, calls = hooks_applications(program), sees_system_calls(program)
    if applications is not Answer.NO:
        kind = keyword_of(program) or "probe"
        what = f"{kind} on {target or 'an application chosen when it is attached'}"
        yield _answered(program, "trace.application", what, applications)
    if calls is not Answer.NO:
        section = program.spec.section.removeprefix("?")
        what = f"section {section}" if calls is Answer.YES else _CHOSEN_LATER
        yield _answered(program, "trace.syscalls", what, calls)
    if program.spec.attach_type == "TRACE_ITER":
        yield from _of_iterator(program, target)


def _of_iterator(program: Program, target: str) -> Iterator[Finding]:
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
            yield _answered(program, permission, what, Answer.MAYBE)


def _answered(program: Program, permission: str, what: str, answer: Answer) -> Finding:
    confidence = "declared" if answer is Answer.YES else "possible"
    return finding(program, permission, "D", what, confidence=confidence)


def is_beside_kernel(program: Program, permission: str) -> bool:
    """Whether ``permission`` is about events of the kernel, and the program sees none.

    Probes of applications and iterators have types that trace the kernel, and do not.
    """
    if permission != "trace.kernel":
        return False
    is_iterator = program.spec.attach_type == "TRACE_ITER"
    return is_iterator or hooks_applications(program) is Answer.YES
